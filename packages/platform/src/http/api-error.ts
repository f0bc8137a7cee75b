import type { ErrorBody, ErrorCode } from '@molecule-ai/protocol';

/** Keys an error response may carry besides `error` and `code` (protocol's `ErrorBody`). */
export type ErrorExtras = Omit<ErrorBody, 'error' | 'code'>;

export interface ApiErrorOptions {
  readonly extras?: ErrorExtras;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A response other than 2xx, thrown by any room; `http/` turns it into `{ error, code, … }` in one place. */
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

  /** The JSON body of the response. */
  toBody(): ErrorBody {
    return { error: this.message, code: this.code, ...this.extras };
  }
}

/** The one place where a failure becomes a response; anything unexpected says nothing about its inside. */
export function toApiError(
  error: unknown,
  isDatabaseUnavailable: (error: unknown) => boolean = () => false,
): ApiError {
  if (error instanceof ApiError) return error;
  const { code, statusCode } = asDetails(error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError(413, 'body_too_large', 'request body too large', {
      cause: error,
      extras: { hint: 'A JSON body may have 1 MiB.' },
      headers: { connection: 'close' },
    });
  }
  if (isDatabaseUnavailable(error)) {
    return new ApiError(503, 'platform_unavailable', 'platform datastore unavailable — retry shortly', {
      cause: error,
      headers: { 'retry-after': '1' },
    });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ApiError(400, 'invalid_request', 'invalid request', { cause: error });
  }
  return new ApiError(500, 'internal_error', 'internal error', { cause: error });
}

function asDetails(error: unknown): { readonly code?: unknown; readonly statusCode?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}
