import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

/** What a {@link WorkspaceRemovedError} knows besides the answer itself. */
export interface WorkspaceRemovedErrorOptions extends Omit<ApiErrorOptions, 'code'> {
  workspaceId?: string | undefined;
  /** RFC 3339 time of the removal, when the platform sent it. */
  removedAt?: string | undefined;
}

/** The workspace was removed. It is final: tokens are revoked and the workspace never comes back. */
export class WorkspaceRemovedError extends ApiError {
  static override readonly [ERROR_BRAND]: string = 'WorkspaceRemovedError';
  override readonly name = 'WorkspaceRemovedError';
  readonly workspaceId: string | undefined;
  readonly removedAt: string | undefined;

  constructor(message: string, options: WorkspaceRemovedErrorOptions) {
    super(message, { ...options, code: 'workspace_removed' });
    this.workspaceId = options.workspaceId;
    this.removedAt = options.removedAt;
  }

  override toJSON(): Record<string, unknown> {
    return {
      ...super.toJSON(),
      ...(this.workspaceId === undefined ? {} : { workspaceId: this.workspaceId }),
      ...(this.removedAt === undefined ? {} : { removedAt: this.removedAt }),
    };
  }
}
