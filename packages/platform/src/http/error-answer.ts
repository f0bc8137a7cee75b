import { ApiError } from './api-error.ts';

/** The one place where a failure becomes an answer; anything unexpected says nothing about its inside. */
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
