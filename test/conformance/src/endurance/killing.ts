import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentName, Organisation } from './organisation.ts';
import { pick, type RandomSource } from './plan.ts';

export type KillTarget = 'platform' | 'agents';

const LONGEST_DELAY_MS = 250;
const POLL_MS = 20;
/** The share of agents that are killed again before they work. */
const HASTY = 0.2;
const AGENTS: readonly [AgentName, ...AgentName[]] = ['long-poll', 'poll', 'push', 'sender-1', 'sender-2'];

export interface KillingOptions {
  readonly organisation: Organisation;
  readonly target: KillTarget;
  readonly count: number;
  readonly messages: number;
  readonly random: RandomSource;
  /** How many messages the platform has accepted. */
  readonly progress: () => number;
  readonly onKill: (name: string, killed: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Kills `count` times, at random moments spread over the whole run: each after a random number of messages was
 * accepted, and a random time later.
 */
export async function killRepeatedly(options: KillingOptions): Promise<void> {
  const { organisation, target, count, messages, random, signal } = options;
  const moments = Array.from({ length: count }, () => Math.floor(random() * messages * 0.97)).sort(
    (a, b) => a - b,
  );
  for (const [index, moment] of moments.entries()) {
    while (options.progress() < moment) await sleep(POLL_MS, undefined, { signal });
    await sleep(random() * LONGEST_DELAY_MS, undefined, { signal });
    const name = target === 'platform' ? 'platform' : pick(random, AGENTS);
    options.onKill(name, index + 1);
    if (name === 'platform') await organisation.crashPlatform();
    else await organisation.crashAgent(name, random() < HASTY);
  }
}
