import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** The platform answered 403: the credential is known, but hierarchy, organisation or Origin forbid the call. */
export class AccessDeniedError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'AccessDeniedError';
  override readonly name = 'AccessDeniedError';

  constructor(message: string, options: Omit<ApiErrorOptions, 'code'>) {
    super(message, { ...options, code: 'access_denied' });
  }
}
