import { setTimeout as sleep } from 'node:timers/promises';
import type { Order } from './plan.ts';

/** Longer than the platform is ever down, so that the cancellation comes before the end of the work. */
const CANCEL_WITHIN_MS = 30_000;
const PAST_DEADLINE_MS = 300;

/** What the agent of a feed or a server does before it says something; ends early when `signal` aborts. */
export async function work(
  { act, workMs }: Order,
  deadline: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ms = durationOf(act, workMs, deadline);
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}

function durationOf(act: Order['act'], workMs: number, deadline: unknown): number {
  if (act === 'cancel') return CANCEL_WITHIN_MS;
  if (act !== 'expire') return workMs;
  return Math.max(0, Date.parse(String(deadline)) - Date.now()) + PAST_DEADLINE_MS;
}
