import type { InboundMessage } from '@molecule-ai/protocol';

/** What became of a message, as this agent sees it. */
export type FinishedAs =
  | 'answered'
  | 'unanswered'
  | 'failed'
  | 'canceled'
  | 'expired'
  | 'dead_letter'
  /** The request that brought it was refused, because it could not be stored. */
  | 'not_stored';

export type RunOutcome =
  /** `code` says why, where it is no success. */
  | { readonly kind: 'finished'; readonly how: FinishedAs; readonly code?: string | undefined }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly code: string }
  /** Aborted: the message is unchanged, and the attempt is not counted. */
  | { readonly kind: 'interrupted' };

/** Is run until it is finished. */
export interface Runnable {
  readonly message: InboundMessage;
  /** Attempts that were counted so far. */
  readonly attempts: number;
  /** @param signal Aborted when the run has to end. */
  run(signal: AbortSignal): Promise<RunOutcome>;
}
