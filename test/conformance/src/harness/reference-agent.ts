import { createRemoteAgent, PollDelivery, type RemoteAgentOptions } from '@molecule-ai/core';
import { recordingLogger } from '@molecule-ai/core/testing';
import { ManualClock } from '@molecule-tests/harness';
import { type Generation, ReferencePlatform } from './reference-platform.ts';
import { stopOnClock } from './test-agent.ts';
import type { TestEnvironment } from './test-environment.ts';

/** The workspace of the agent on the reference platform. */
export const MEMBER = { id: '11111111-1111-4111-8111-111111111111', token: 'token-of-the-reference' };
/** Another workspace. */
export const PEER = '22222222-2222-4222-8222-222222222222';
export const GENERATIONS = ['april-2026', 'june-2026'] as const satisfies readonly Generation[];

export interface Reference {
  readonly clock: ManualClock;
  readonly platform: ReferencePlatform;
  readonly generation: Generation;
}

export async function startReference(
  environment: TestEnvironment,
  generation: Generation = 'june-2026',
): Promise<Reference> {
  const clock = new ManualClock();
  const platform = await new ReferencePlatform(generation, clock.now()).start();
  environment.onCleanup(() => platform.stop());
  return { clock, platform, generation };
}

export interface ReferenceAgentOptions {
  readonly stateDirectory?: string;
  readonly sinceSecs?: number;
  /** What the handler returns. @default nothing */
  readonly answer?: string;
  /** @default polls every second */
  readonly delivery?: RemoteAgentOptions['delivery'];
  /** @default one for April, which registers no agent without */
  readonly reportedUrl?: string | undefined;
}

/** An agent that reads the feed. */
export function agentOn(
  environment: TestEnvironment,
  { clock, platform, generation }: Reference,
  options: ReferenceAgentOptions = {},
) {
  const { stateDirectory = environment.folder(), sinceSecs, answer } = options;
  const publicUrl = generation === 'april-2026' ? 'https://agent.example/a2a' : undefined;
  const handled: string[] = [];
  const log = recordingLogger();
  const client = environment.client(platform, MEMBER, {
    connection: { clock },
    logger: log,
    storage: { directory: stateDirectory },
    reportedUrl: 'reportedUrl' in options ? options.reportedUrl : publicUrl,
  });
  const agent = createRemoteAgent({
    client,
    delivery: options.delivery ?? new PollDelivery({ intervalMs: 1_000, pageLimit: 20, sinceSecs }),
    limits: { readAhead: 8 },
    concurrency: 1,
    onMessage: (message) => {
      handled.push(message.text);
      return answer ?? null;
    },
  });
  environment.onCleanup(() => stopOnClock(clock, agent));
  return { agent, client, handled, log, stateDirectory };
}

/** Whether a promise has ended, for tests that advance the time meanwhile. */
export function trackPromise<T>(promise: Promise<T>) {
  const tracked = { promise, isSettled: false };
  const end = () => {
    tracked.isSettled = true;
  };
  promise.then(end, end);
  return tracked;
}
