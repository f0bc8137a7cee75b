import type { FastifyRequest } from 'fastify';
import { ApiError } from './api-error.ts';
import type { Caller, RemovedHolder } from './identity.ts';

type Identified = Pick<FastifyRequest, 'identity'>;

/** The caller of a request: an operator or a workspace. 401 for everybody else. */
export function requireCaller({ identity }: Identified): Caller {
  switch (identity.kind) {
    case 'operator':
    case 'workspace':
      return identity;
    case 'removed':
      throw removedCredential(identity);
    case 'anonymous':
      throw missingCredentials('missing workspace auth token');
    case 'unknown-credential':
      throw invalidCredentials('invalid workspace auth token');
  }
}

/** For operator routes (wire contract 1.3.1, AdminAuth): a workspace's token is not enough. */
export function requireOperator({ identity }: Identified): void {
  switch (identity.kind) {
    case 'operator':
      return;
    case 'anonymous':
      throw missingCredentials('admin auth required');
    default:
      throw invalidCredentials('invalid admin auth token', 'This route needs the operator key or a session.');
  }
}

/** For routes of one workspace: an operator or that workspace's own token; anybody else's is a 401. */
export function requireWorkspaceAccess(request: Identified, workspaceId: string): Caller {
  const caller = requireCaller(request);
  if (caller.kind === 'workspace' && caller.workspaceId !== workspaceId) {
    throw invalidCredentials('invalid workspace auth token', 'The token belongs to another workspace.');
  }
  return caller;
}

/** The removed workspace whose old token the request carries, for routes that answer it in their own way. */
export function removedHolder({ identity }: Identified): RemovedHolder | undefined {
  return identity.kind === 'removed' ? identity : undefined;
}

/** For routes of the agent itself: only the workspace's own token, because they say that it lives. */
export function requireOwnToken(request: Identified, workspaceId: string): void {
  const caller = requireCaller(request);
  if (caller.kind === 'workspace' && caller.workspaceId === workspaceId) return;
  throw invalidCredentials(
    'invalid workspace auth token',
    'Only the token of the workspace itself is accepted here.',
  );
}

/** 401 for the holder of a token whose workspace was removed; clients end on it (decision 17). */
export function removedCredential(holder: RemovedHolder): ApiError {
  return new ApiError(401, 'workspace_removed', 'workspace removed', {
    extras: {
      deleted: true,
      workspace_id: holder.workspaceId,
      removed_at: holder.removedAt,
      hint: 'The workspace was removed; create a new one and register with its token.',
    },
  });
}

function missingCredentials(message: string): ApiError {
  return new ApiError(401, 'missing_credentials', message, {
    extras: { hint: 'Send Authorization: Bearer <token>.' },
  });
}

function invalidCredentials(message: string, hint?: string): ApiError {
  return new ApiError(401, 'invalid_credentials', message, hint === undefined ? {} : { extras: { hint } });
}
