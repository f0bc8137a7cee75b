import {
  createRemoteAgent,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  type RemoteAgent,
  type RemoteAgentClientOptions,
} from '@molecule-ai/core';
import type { ManualClock } from './manual-clock.ts';
import { type Member, onboard } from './members.ts';
import { recordingLogger } from './recording-logger.ts';
import type { RunningPlatform } from './running-platform.ts';
import type { Site } from './site.ts';
import type { PlatformWishes } from './start-platform.ts';

/** The ways in which messages reach an agent; push will be one more. */
export const DELIVERIES = [{ delivery: 'long-poll' }, { delivery: 'poll' }] as const;
export type DeliveryName = (typeof DELIVERIES)[number]['delivery'];

export type Handler = (
  message: InboundMessage,
  context: HandlerContext,
) => HandlerAnswer | Promise<HandlerAnswer>;

/** An agent under test, on the platform's own manual clock. */
export interface AgentWorld {
  readonly platform: RunningPlatform;
  readonly member: Member;
  readonly agent: RemoteAgent;
  readonly clock: ManualClock;
  readonly stateDirectory: string;
  readonly log: ReturnType<typeof recordingLogger>;
  /** Texts in the order in which the handler was called. */
  readonly handled: readonly string[];
  /** Moves time on until `condition` holds. */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  /** Heartbeats' count of messages that are not acknowledged. */
  pending(): Promise<number>;
}

export interface AgentChoice {
  readonly delivery: DeliveryName;
  readonly onMessage?: Handler;
  readonly client?: RemoteAgentClientOptions;
  readonly platform?: PlatformWishes;
  readonly atMostOnce?: boolean;
}

/** Starts a platform, a workspace and its agent, which echoes unless told otherwise. */
export async function startAgentWorld(site: Site, choice: AgentChoice): Promise<AgentWorld> {
  const platform = await site.platform({ clock: 'manual', contractCheck: 'all', ...choice.platform });
  const member = await onboard(platform, { name: 'agent-under-test' });
  const world = prepareAgent(site, platform, member, choice);
  await world.agent.start();
  return world;
}

/** An agent of `member` that has not started yet. */
export function prepareAgent(
  site: Site,
  platform: RunningPlatform,
  member: Member,
  choice: AgentChoice,
): AgentWorld {
  const handled: string[] = [];
  const log = recordingLogger();
  const stateDirectory = choice.client?.stateDirectory ?? site.folder();
  const { clock } = platform;
  const client = site.client(platform, member, { clock, logger: log, stateDirectory, ...choice.client });
  const agent = createRemoteAgent({
    client,
    delivery: choice.delivery,
    atMostOnce: choice.atMostOnce,
    onMessage: (message, context) => {
      handled.push(message.text);
      return choice.onMessage === undefined ? `echo: ${message.text}` : choice.onMessage(message, context);
    },
  });
  site.afterwards(() => stopOnClock(clock, agent));
  const until = (condition: () => boolean | Promise<boolean>, limitMs = 120_000) =>
    clock.advanceUntil(condition, { stepMs: 500, limitMs });
  const pending = async () => {
    const rows = await platform.operator.get(
      `/workspaces/${member.id}/activity?type=a2a_receive&unacknowledged=true&limit=500`,
    );
    return (rows.body as unknown[]).length;
  };
  return { platform, member, agent, clock, stateDirectory, log, handled, until, pending };
}

/** Stops an agent whose deadlines run on a manual clock. */
export async function stopOnClock(clock: ManualClock, agent: RemoteAgent): Promise<void> {
  let stopped = false;
  const stopping = agent.stop().finally(() => {
    stopped = true;
  });
  stopping.catch(() => {});
  await clock.advanceUntil(() => stopped, { stepMs: 250, limitMs: 120_000 });
  await stopping;
}
