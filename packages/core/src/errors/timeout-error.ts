import type { Delivered } from './connection-error.ts';
import { ERROR_BRAND, MoleculeError, type MoleculeErrorOptions } from './molecule-error.ts';

export interface TimeoutErrorOptions extends Omit<MoleculeErrorOptions, 'code' | 'retryAfterMs'> {
  /** The deadline that passed, in milliseconds. */
  timeoutMs: number;
  /** Whether the request may have been processed. @default 'unknown' */
  delivered?: Delivered | undefined;
}

/** A deadline passed. */
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
