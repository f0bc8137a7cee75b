import type { ErrorBody, ErrorCode } from '@molecule-ai/protocol';

/** The keys of an error response besides `error` and `code`. */
type ErrorExtras = Omit<ErrorBody, 'error' | 'code'>;

/** The same, and what is not in the body. */
interface HttpErrorDetails extends ErrorExtras {
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * A response other than 2xx, thrown by any module; the error handler of `app.ts` sends it as `{ error, code, … }`. `retry_after` among the extras is also
 * its header `Retry-After`.
 */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, message: string, details: HttpErrorDetails = {}) {
    const { headers = {}, cause, ...extras } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
    this.extras = extras;
    const { retry_after: seconds } = extras;
    this.headers = seconds === undefined ? headers : { ...headers, 'retry-after': String(seconds) };
  }

  /** The JSON body of the response. */
  toBody(): ErrorBody {
    return { error: this.message, code: this.code, ...this.extras };
  }
}

/** 400 for a part of a request that cannot be meant. */
export function invalidField(field: string, message: string, code: ErrorCode = 'invalid_request'): HttpError {
  return new HttpError(400, code, message, { field });
}

/** 413 for a part of a body that is larger than it may be, sizes in bytes. */
export function tooLarge(field: string, bytes: number, limit: number): HttpError {
  return new HttpError(413, 'body_too_large', `${field} is too large`, {
    field,
    hint: `It has ${bytes} bytes of JSON and may have ${limit}.`,
  });
}

/** 503 for what cannot be stored because there is no space. */
export function diskFull(cause?: unknown): HttpError {
  return new HttpError(503, 'platform_unavailable', 'the disk of the platform is full', {
    retry_after: 30,
    hint: 'Nothing was stored; what is stored can be read. An operator has to free space in the data folder.',
    cause,
  });
}

/** Maps any error to a response; an unexpected one is a 500 that reveals no details. */
export function toHttpError(
  error: unknown,
  database?: { isUnavailable(error: unknown): boolean; isDiskFull(error: unknown): boolean },
): HttpError {
  if (error instanceof HttpError) return error;
  const { code, statusCode } = (error ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HttpError(413, 'body_too_large', 'request body too large', {
      hint: 'A JSON body may have at most 1 MiB.',
      cause: error,
      headers: { connection: 'close' },
    });
  }
  if (database?.isDiskFull(error)) return diskFull(error);
  if (database?.isUnavailable(error)) {
    return new HttpError(503, 'platform_unavailable', 'platform datastore unavailable — retry shortly', {
      cause: error,
      headers: { 'retry-after': '1' },
    });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new HttpError(400, 'invalid_request', 'invalid request', { cause: error });
  }
  return new HttpError(500, 'internal_error', 'internal error', { cause: error });
}
