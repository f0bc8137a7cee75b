import type { Delivered } from './connection-error.ts';
import { ERROR_BRAND, MoleculeError, type MoleculeErrorOptions } from './molecule-error.ts';

/** What a {@link TimeoutError} knows besides its message. */
export interface TimeoutErrorOptions extends Omit<MoleculeErrorOptions, 'code' | 'retryAfterMs'> {
  /** The deadline that passed, in milliseconds. */
  timeoutMs: number;
  /** Whether the request can have been handled all the same. @default 'unknown' */
  delivered?: Delivered | undefined;
}

/** A deadline passed before the work was done. */
export class TimeoutError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'TimeoutError';
  override readonly name = 'TimeoutError';
  readonly timeoutMs: number;
  readonly delivered: Delivered;

  constructor(message: string, options: TimeoutErrorOptions) {
    super(message, { isRetryable: true, ...options, code: 'timed_out' });
    this.timeoutMs = options.timeoutMs;
    this.delivered = options.delivered ?? 'unknown';
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), timeoutMs: this.timeoutMs, delivered: this.delivered };
  }
}
