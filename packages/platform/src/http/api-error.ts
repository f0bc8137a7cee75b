import type { ErrorBody, ErrorCode } from '@molecule-ai/protocol';

/** Keys an error answer may carry besides `error` and `code` (protocol's `ErrorBody`). */
export type ErrorExtras = Omit<ErrorBody, 'error' | 'code'>;

export interface ApiErrorOptions {
  readonly extras?: ErrorExtras;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer other than 2xx, thrown by any room; `http/` turns it into `{ error, code, … }` in one place. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.code = code;
    this.extras = options.extras ?? {};
    this.headers = options.headers ?? {};
  }

  /** The JSON body of the answer. */
  toBody(): ErrorBody {
    return { error: this.message, code: this.code, ...this.extras };
  }
}
