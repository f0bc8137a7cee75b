import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** Status 403: the credential is valid, but hierarchy, organisation or Origin do not allow the request. */
export class AccessDeniedError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'AccessDeniedError';
  override readonly name = 'AccessDeniedError';

  constructor(message: string, options: Omit<ApiErrorOptions, 'code'>) {
    super(message, { ...options, code: 'access_denied' });
  }
}
