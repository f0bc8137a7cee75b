import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** A row of the feed that could not be read, as far as the platform said what it is. Unknown ids are `''`. */
export interface UnreadRow {
  readonly id: string;
  readonly messageId: string;
  readonly sourceId: string;
  /** The position in the feed; `null` when unknown. */
  readonly seq: number | null;
}

/** A page of the feed is larger than `maxResponseBytes`: read it with a smaller `limit`. */
export class PageTooLargeError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'PageTooLargeError';
  override readonly name = 'PageTooLargeError';
  /** The number of rows that was asked for. */
  readonly limit: number;
  /** The first row of the page; `null` when what was received of it does not name it. */
  readonly firstRow: UnreadRow | null;

  constructor(
    message: string,
    options: Omit<ApiErrorOptions, 'code'> & { limit: number; firstRow: UnreadRow | null },
  ) {
    super(message, { ...options, code: 'response_too_large' });
    this.limit = options.limit;
    this.firstRow = options.firstRow;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), limit: this.limit, firstRow: this.firstRow };
  }
}
