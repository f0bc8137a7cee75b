import { ERROR_BRAND, MoleculeError, type MoleculeErrorOptions } from './molecule-error.ts';

/** Whether a request without a response may have been processed: `'no'` if certainly not, otherwise `'unknown'`. */
export type Delivered = 'no' | 'unknown';

export interface ConnectionErrorOptions extends Omit<MoleculeErrorOptions, 'code' | 'retryAfterMs'> {
  /** Scheme, host and port that could not be reached. */
  origin: string;
  delivered: Delivered;
  /** The message whose answer was waited for. */
  messageId?: string | undefined;
}

/** The connection failed, or was closed before the response was complete. */
export class ConnectionError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'ConnectionError';
  readonly origin: string;
  readonly delivered: Delivered;
  /** The message whose answer was waited for, when it may have arrived: for `waitForAnswer`, or to repeat the call. */
  readonly messageId: string | undefined;

  constructor(message: string, options: ConnectionErrorOptions) {
    super(message, { isRetryable: true, ...options, code: 'connection_failed' });
    this.origin = options.origin;
    this.delivered = options.delivered;
    this.messageId = options.messageId;
  }
}

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
}

/** The answer of a peer does not continue the text that was read before: the peer handled the message a second time. */
export class StreamRestartedError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'StreamRestartedError';
  /** The message whose answer was read: for `getMessage` and `waitForAnswer`, which return the whole. */
  readonly messageId: string;

  /** @param answerKey the arguments of `waitForAnswer`, as code */
  constructor(messageId: string, answerKey = `'${messageId}'`) {
    super('The answer begins anew: it does not continue the text that was read before.', {
      code: 'stream_restarted',
      hint: `Discard the text so far, and read the whole answer: waitForAnswer(${answerKey}).`,
    });
    this.messageId = messageId;
  }
}
