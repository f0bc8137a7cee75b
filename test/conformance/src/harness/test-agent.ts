import {
  type AnswerHandler,
  createRemoteAgent,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  type RemoteAgent,
  type RemoteAgentClient,
  type RemoteAgentClientOptions,
} from '@molecule-ai/core';
import { type RecordingLogger, recordingLogger } from '@molecule-ai/core/testing';
import type { ManualClock } from '@molecule-tests/harness';
import { type Member, onboard } from './members.ts';
import type { RunningPlatform, TestPlatformOptions } from './running-platform.ts';
import type { TestEnvironment } from './test-environment.ts';

/** The ways in which messages reach an agent; push will be one more. */
export const DELIVERIES = [{ delivery: 'long-poll' }, { delivery: 'poll' }] as const;
export type DeliveryName = (typeof DELIVERIES)[number]['delivery'];

export type Handler = (
  message: InboundMessage,
  context: HandlerContext,
) => HandlerAnswer | Promise<HandlerAnswer>;

/** An agent in this process, on the platform's own manual clock. */
export interface TestAgent {
  readonly platform: RunningPlatform;
  readonly member: Member;
  readonly agent: RemoteAgent;
  readonly client: RemoteAgentClient;
  readonly clock: ManualClock;
  readonly stateDirectory: string;
  readonly log: RecordingLogger;
  /** Texts in the order in which the handler was called. */
  readonly handled: readonly string[];
  /** Moves time on until `condition` holds; fails after `limitMs` of manual time. @default limitMs: 120_000 */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  /** How many messages the agent has not acknowledged. */
  pending(): Promise<number>;
  /** Moves time on until nothing is pending. */
  untilAllAcknowledged(limitMs?: number): Promise<void>;
}

export interface TestAgentOptions {
  readonly delivery: DeliveryName;
  /** @default responds with `echo: <text>` */
  readonly onMessage?: Handler;
  readonly onAnswer?: AnswerHandler | undefined;
  readonly client?: RemoteAgentClientOptions;
  readonly platform?: TestPlatformOptions;
  readonly atMostOnce?: boolean;
  readonly onConflict?: 'wait' | 'takeover' | 'fail';
  readonly concurrency?: number;
}

/** Starts a platform, creates a workspace and starts its agent. */
export async function startTestAgent(
  environment: TestEnvironment,
  options: TestAgentOptions,
): Promise<TestAgent> {
  const platform = await environment.platform({
    clock: 'manual',
    server: { contractCheck: 'all' },
    ...options.platform,
  });
  const member = await onboard(platform, { name: 'agent-under-test' });
  const testAgent = createTestAgent(environment, platform, member, options);
  await testAgent.agent.start();
  return testAgent;
}

/** Makes an agent of `member` that has not started yet. */
export function createTestAgent(
  environment: TestEnvironment,
  platform: RunningPlatform,
  member: Member,
  options: TestAgentOptions,
): TestAgent {
  const handled: string[] = [];
  const log = recordingLogger();
  const stateDirectory = options.client?.storage?.directory ?? environment.folder();
  const { clock } = platform;
  const client = environment.client(platform, member, {
    logger: log,
    ...options.client,
    connection: { clock, ...options.client?.connection },
    storage: { ...options.client?.storage, directory: stateDirectory },
  });
  const agent = createRemoteAgent({
    client,
    delivery: options.delivery,
    atMostOnce: options.atMostOnce,
    presence: { onConflict: options.onConflict },
    concurrency: options.concurrency,
    onMessage: (message, context) => {
      handled.push(message.text);
      return options.onMessage === undefined ? `echo: ${message.text}` : options.onMessage(message, context);
    },
    onAnswer:
      options.onAnswer &&
      ((answer, context) => {
        handled.push(answer.message.text);
        return options.onAnswer?.(answer, context);
      }),
  });
  environment.onCleanup(() => stopOnClock(clock, agent));
  const until = (condition: () => boolean | Promise<boolean>, limitMs = 120_000) =>
    clock.advanceUntil(condition, { stepMs: 500, limitMs });
  const pending = async () => {
    const rows = await platform.operator.get(
      `/workspaces/${member.id}/activity?type=a2a_receive&unacknowledged=true&limit=500`,
    );
    return (rows.body as unknown[]).length;
  };
  return {
    platform,
    member,
    agent,
    client,
    clock,
    stateDirectory,
    log,
    handled,
    until,
    pending,
    untilAllAcknowledged: (limitMs) => until(async () => (await pending()) === 0, limitMs),
  };
}

/** Stops an agent whose deadlines run on a manual clock. */
export async function stopOnClock(clock: ManualClock, agent: RemoteAgent): Promise<void> {
  let stopped = false;
  const stopping = agent.stop().finally(() => {
    stopped = true;
  });
  stopping.catch(() => {});
  await clock.advanceUntil(() => stopped, { stepMs: 25, limitMs: 120_000 });
  await stopping;
}
