import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** The activity feed answered 410: it no longer knows the row the cursor points at. */
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
