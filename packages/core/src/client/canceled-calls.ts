import { processState } from '../storage/process-state.ts';
import { LatestMap } from './latest-map.ts';

const MAX_CANCELED = 10_000;

/** Remembers a message that ended as canceled because its caller had aborted: the latest 10 000, until the process ends. */
export function rememberCanceled(messageId: string): void {
  canceled().set(messageId, true);
}

/** Whether this process has canceled the message, so that it never has an answer. */
export function wasCanceled(messageId: string): boolean {
  return canceled().has(messageId);
}

function canceled(): LatestMap<true> {
  return processState('canceled-calls', () => new LatestMap<true>(MAX_CANCELED));
}
