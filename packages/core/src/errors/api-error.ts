import { ERROR_BRAND, MoleculeError, type MoleculeErrorOptions } from './molecule-error.ts';
import { redactSecrets } from './redact-secrets.ts';

const EXCERPT_LENGTH = 200;

export interface ApiErrorOptions extends MoleculeErrorOptions {
  /** HTTP status of the response. */
  status: number;
  /** HTTP method of the request. */
  method: string;
  /** Path of the request; the query is removed. */
  path: string;
  /** The error code in the response body, if any. */
  platformCode?: string | undefined;
  /** The body as text; the first 200 characters are kept, with credentials redacted. */
  body?: string | undefined;
  /** The parsed body, if it is a JSON object; not enumerable, so that it is not logged by accident. */
  details?: Readonly<Record<string, unknown>> | undefined;
  /** Whether the body is a web page. @default false */
  isWebPage?: boolean | undefined;
}

/** The platform's response is not a success. */
export class ApiError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'ApiError';
  readonly status: number;
  readonly method: string;
  readonly path: string;
  readonly platformCode: string | undefined;
  readonly bodyExcerpt: string;
  /**
   * The parsed body, if it is a JSON object. Not enumerable. For calls to a peer it may contain the peer's words, which are
   * in no other field: untrusted, fence them for a model.
   */
  declare readonly details: Readonly<Record<string, unknown>> | undefined;
  /** Whether the response is a web page: something between here and the platform sent it, such as a login. Not enumerable. */
  declare readonly isWebPage: boolean;

  constructor(message: string, options: ApiErrorOptions) {
    super(message, options);
    this.status = options.status;
    this.method = options.method;
    this.path = options.path.split('?', 1)[0] ?? '';
    this.platformCode = options.platformCode;
    this.bodyExcerpt = redactSecrets((options.body ?? '').slice(0, 4096)).slice(0, EXCERPT_LENGTH);
    Object.defineProperty(this, 'details', { value: options.details, enumerable: false });
    Object.defineProperty(this, 'isWebPage', { value: options.isWebPage ?? false, enumerable: false });
  }
}

/** Status 403: the credential is valid, but hierarchy, organisation or Origin do not allow the request. */
export class AccessDeniedError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'AccessDeniedError';

  constructor(message: string, options: Omit<ApiErrorOptions, 'code'>) {
    super(message, { ...options, code: 'access_denied' });
  }
}

export interface WorkspaceRemovedErrorOptions extends Omit<ApiErrorOptions, 'code'> {
  workspaceId?: string | undefined;
  /** Time of the removal, RFC 3339, if the platform sent it. */
  removedAt?: string | undefined;
}

/** The workspace was removed. This is final, and all its tokens are revoked. */
export class WorkspaceRemovedError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'WorkspaceRemovedError';
  readonly workspaceId: string | undefined;
  readonly removedAt: string | undefined;

  constructor(message: string, options: WorkspaceRemovedErrorOptions) {
    super(message, { ...options, code: 'workspace_removed' });
    this.workspaceId = options.workspaceId;
    this.removedAt = options.removedAt;
  }
}

/** Status 410 of the activity feed: the row of the cursor no longer exists. */
export class CursorLostError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'CursorLostError';
  /** The cursor that was sent. */
  readonly cursor: string;

  constructor(message: string, options: Omit<ApiErrorOptions, 'code'> & { cursor: string }) {
    super(message, { ...options, code: 'cursor_lost' });
    this.cursor = options.cursor;
  }
}

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
}
