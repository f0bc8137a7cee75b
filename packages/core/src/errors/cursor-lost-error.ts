import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** Status 410 of the activity feed: the row of the cursor no longer exists. */
export class CursorLostError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'CursorLostError';
  override readonly name = 'CursorLostError';
  /** The cursor that was sent. */
  readonly cursor: string;

  constructor(message: string, options: Omit<ApiErrorOptions, 'code'> & { cursor: string }) {
    super(message, { ...options, code: 'cursor_lost' });
    this.cursor = options.cursor;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), cursor: this.cursor };
  }
}
