import type { Delivered } from './connection-error.ts';
import { ERROR_BRAND, MoleculeError, type MoleculeErrorOptions } from './molecule-error.ts';

export interface TimeoutErrorOptions extends Omit<MoleculeErrorOptions, 'code' | 'retryAfterMs'> {
  /** The deadline that passed, in milliseconds. */
  timeoutMs: number;
  /** Whether the request may have been processed. @default 'unknown' */
  delivered?: Delivered | undefined;
  /** The message whose answer was waited for. */
  messageId?: string | undefined;
}

/** A deadline passed. */
export class TimeoutError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'TimeoutError';
  override readonly name = 'TimeoutError';
  readonly timeoutMs: number;
  readonly delivered: Delivered;
  /** The message whose answer was waited for: for `waitForAnswer`, or to repeat the call. `undefined` for other requests. */
  readonly messageId: string | undefined;

  constructor(message: string, options: TimeoutErrorOptions) {
    super(message, { isRetryable: true, ...options, code: 'timed_out' });
    this.timeoutMs = options.timeoutMs;
    this.delivered = options.delivered ?? 'unknown';
    this.messageId = options.messageId;
  }

  override toJSON(): Record<string, unknown> {
    const { timeoutMs, delivered, messageId } = this;
    return { ...super.toJSON(), timeoutMs, delivered, ...(messageId === undefined ? {} : { messageId }) };
  }
}
