import {
  createRemoteAgent,
  type RemoteAgent,
  type RemoteAgentClient,
  type RemoteAgentOptions,
} from '@molecule-ai/core';
import { DELIVERIES, type DeliveryName } from './agent-modes.ts';
import { createMember, type Member } from './members.ts';
import type { RunningPlatform } from './running-platform.ts';
import type { Site } from './site.ts';

export interface EchoAgent {
  readonly agent: RemoteAgent<RemoteAgentClient>;
  readonly member: Member;
  /** The texts it has handled, in order. */
  readonly handled: string[];
}

export interface EchoWishes extends Partial<RemoteAgentOptions<RemoteAgentClient>> {
  readonly stateDirectory?: string;
  readonly member?: Member;
}

/** An agent in this process that answers each message with `echo: <text>`; it ends with the test. */
export async function makeEchoAgent(
  site: Site,
  platform: RunningPlatform,
  mode: DeliveryName,
  wishes: EchoWishes = {},
): Promise<EchoAgent> {
  const { stateDirectory = site.folder(), member = await createMember(platform), ...options } = wishes;
  const client = site.client(platform, member, { stateDirectory, requestTimeoutMs: 2_000, maxRetries: 0 });
  const handled: string[] = [];
  const agent = createRemoteAgent<RemoteAgentClient>({
    client,
    delivery: DELIVERIES[mode](),
    heartbeatIntervalMs: 1_000,
    onMessage: (message) => {
      handled.push(message.text);
      return `echo: ${message.text}`;
    },
    ...options,
  });
  site.afterwards(() => agent.stop({ timeoutMs: 0 }));
  return { agent, member, handled };
}
