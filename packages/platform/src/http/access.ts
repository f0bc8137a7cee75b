import type { RouteAccess } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import { HttpError } from './http-error.ts';
import type { Caller, Identity, Principal, RemovedHolder } from './principal.ts';

/** The principals that a route with this access accepts. */
export type CallerOf<Access extends RouteAccess> = Access extends 'anonymous' | 'claim'
  ? Identity
  : Access extends 'own'
    ? Extract<Principal, { kind: 'workspace' }>
    : Access extends 'operator'
      ? Extract<Principal, { kind: 'operator' }>
      : Caller;

/** The parts of a request that decide access. */
type AccessRequest = Pick<FastifyRequest, 'identity' | 'headers'>;

const CALLER_HEADERS = ['x-workspace-id', 'x-source-workspace-id'] as const;

/**
 * Refuses a request whose credential the access of its route does not accept. The token of a removed workspace is
 * checked by {@link requireWorkspaceOfPath}, because routes return different errors for it.
 *
 * @throws HttpError 401 without an accepted credential, 403 for caller headers that contradict it.
 */
export function requireCredential(access: RouteAccess, { identity, headers }: AccessRequest): void {
  if (access === 'anonymous') return;
  if (access === 'operator') {
    requireOperator(identity);
    return;
  }
  checkCallerHeaders(headers, identity);
  if (access !== 'claim' && identity.kind !== 'removed') requireCaller(identity);
}

/** Refuses the caller of a route whose path names a workspace that is not its own, and removed workspaces. */
export function requireWorkspaceOfPath(
  access: RouteAccess,
  identity: Identity,
  workspaceId: string | undefined,
  removedError?: (holder: RemovedHolder) => HttpError | undefined,
): void {
  if (access === 'anonymous' || access === 'operator' || access === 'claim') return;
  if (identity.kind === 'removed') throw removedError?.(identity) ?? removedCredential(identity);
  const caller = requireCaller(identity);
  if (access === 'own') requireWorkspace(caller, workspaceId);
  if (access === 'workspace' && caller.kind === 'workspace' && caller.workspaceId !== workspaceId) {
    throw invalidCredentials('invalid workspace auth token', FOREIGN_TOKEN);
  }
}

const FOREIGN_TOKEN =
  'This token belongs to another workspace: correct the id of the request, or send a token of that workspace.';

/** For a route of the agent itself: 401 unless the caller is that workspace; without an id, unless it is one. */
export function requireWorkspace(caller: Caller, workspaceId: string | undefined): void {
  if (caller.kind === 'workspace' && caller.workspaceId === (workspaceId ?? caller.workspaceId)) return;
  const hint =
    caller.kind === 'workspace'
      ? FOREIGN_TOKEN
      : 'Only the token of the workspace itself is accepted here, and no operator key.';
  throw invalidCredentials('invalid workspace auth token', hint);
}

/**
 * Refuses requests of other organisations when `MOLECULE_ORG_ID` is set: with 404, which reveals nothing about this
 * one.
 */
export function requireOrg({ headers }: Pick<FastifyRequest, 'headers'>, orgId: string | null): void {
  if (orgId === null) return;
  const named = headers['x-molecule-org-id'];
  if (typeof named === 'string' && named.trim().toLowerCase() === orgId.toLowerCase()) return;
  throw new HttpError(404, 'org_mismatch', 'not found', {
    extras: { hint: 'Send X-Molecule-Org-Id with the id of this organisation.' },
  });
}

/** 401 for the token of a removed workspace; clients stop on it. */
export function removedCredential(holder: RemovedHolder): HttpError {
  return new HttpError(401, 'workspace_removed', 'workspace removed', {
    extras: {
      deleted: true,
      workspace_id: holder.workspaceId,
      removed_at: holder.removedAt,
      hint: 'The workspace was removed; create a new one and register with its token.',
    },
  });
}

function requireOperator(identity: Identity): void {
  if (identity.kind === 'operator') return;
  if (identity.kind === 'anonymous') throw missingCredentials('admin auth required');
  const hint = 'This route needs the operator key or a session.';
  throw invalidCredentials('invalid admin auth token', `${hint}${optionalCredential(identity)}`);
}

function requireCaller(identity: Exclude<Identity, RemovedHolder>): Caller {
  if (identity.kind === 'operator' || identity.kind === 'workspace') return identity;
  if (identity.kind === 'anonymous') throw missingCredentials('missing workspace auth token');
  const hint =
    'The token is neither that of a workspace nor the operator key: it is mistyped or was revoked.';
  throw invalidCredentials('invalid workspace auth token', `${hint}${optionalCredential(identity)}`);
}

function optionalCredential(identity: Identity): string {
  const isOptional = identity.kind === 'unknown-credential' && identity.isOptional;
  return isOptional ? ' In dev mode on this machine, an operator may omit Authorization.' : '';
}

/**
 * The caller headers must name the workspace of the token. An operator has no workspace, so the headers only have to
 * agree with each other.
 */
function checkCallerHeaders(headers: AccessRequest['headers'], identity: Identity): void {
  const named = CALLER_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [{ name, id: value.trim().toLowerCase() }] : [];
  });
  const expected = identity.kind === 'workspace' ? identity.workspaceId : named[0]?.id;
  const wrong = named.find(({ id }) => id !== expected);
  if (wrong === undefined) return;
  if (identity.kind !== 'workspace') {
    throw new HttpError(403, 'caller_mismatch', 'the caller headers name different workspaces', {
      extras: { field: wrong.name, hint: `Send ${CALLER_HEADERS.join(' or ')}, or the same id in both.` },
    });
  }
  const hint = `Correct ${wrong.name}, or send a token of that workspace.`;
  throw new HttpError(403, 'caller_mismatch', 'this token belongs to another workspace', {
    extras: { field: wrong.name, hint },
  });
}

function missingCredentials(message: string): HttpError {
  return new HttpError(401, 'missing_credentials', message, {
    extras: { hint: 'Send Authorization: Bearer <token>.' },
  });
}

function invalidCredentials(message: string, hint: string): HttpError {
  return new HttpError(401, 'invalid_credentials', message, { extras: { hint } });
}
