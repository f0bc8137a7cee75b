import { ApiError, type ApiErrorOptions } from './api-error.ts';
import { ERROR_BRAND } from './molecule-error.ts';

export interface WorkspaceRemovedErrorOptions extends Omit<ApiErrorOptions, 'code'> {
  workspaceId?: string | undefined;
  /** Time of the removal, RFC 3339, if the platform sent it. */
  removedAt?: string | undefined;
}

/** The workspace was removed. This is final, and all its tokens are revoked. */
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
