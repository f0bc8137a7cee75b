import { ApiError } from './api-error.ts';

/** The one place where a failure becomes an answer; anything unexpected says nothing about its inside. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, statusCode, errcode, message } = asDetails(error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError(413, 'body_too_large', 'request body too large', {
      cause: error,
      extras: { hint: 'A JSON body may have 1 MiB.' },
      headers: { connection: 'close' },
    });
  }
  if (isDatabaseFailure(code, errcode, message)) {
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

/** SQLite's result code of a broken constraint: a defect of ours, not an unavailable database. */
const SQLITE_CONSTRAINT = 19;

function isDatabaseFailure(code: unknown, errcode: unknown, message: string): boolean {
  if (code === 'ERR_SQLITE_ERROR')
    return typeof errcode !== 'number' || (errcode & 0xff) !== SQLITE_CONSTRAINT;
  if (code === 'ERR_INVALID_STATE' && message.includes('database')) return true;
  return message === 'driver has already been destroyed';
}

interface Details {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly errcode?: unknown;
  readonly message: string;
}

function asDetails(error: unknown): Details {
  if (typeof error !== 'object' || error === null) return { message: String(error) };
  return { message: '', ...error, ...(error instanceof Error ? { message: error.message } : {}) };
}
