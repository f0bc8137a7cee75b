import type { InboundMessage } from '@molecule-ai/protocol';

/** What one attempt at a message can do; the agent adds client and logger. */
export interface AttemptContext {
  /**
   * Aborts on stop, pause, removal, cancellation by the sender and when the handler's time is up. The reason is a
   * `MoleculeError`.
   */
  readonly signal: AbortSignal;
  /** 1 for the first; counts across restarts. */
  readonly attempt: number;
  /**
   * Answers the message now; a returned text is then not sent. Several answers are possible; after a retry those
   * that were sent are not sent again.
   */
  reply(text: string): Promise<void>;
  /** Shows people what the agent is doing, by the next heartbeat: one line, cut at 200 characters. */
  progress(text: string): void;
  /**
   * Runs an effect once per message and key: its result is journalled, and a later attempt gets the stored result.
   * A crash between the effect and the journal entry can still repeat it: pass the key on where you can. The result
   * must be JSON; `undefined` is stored as `null`.
   * @throws MoleculeError `invalid_argument` for a result that is no JSON.
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
}

/** Handles one message. A non-blank text is the answer; nothing is no answer; throwing means "later again". */
export type AttemptHandler = (message: InboundMessage, context: AttemptContext) => unknown;
