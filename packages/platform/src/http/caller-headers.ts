import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from './api-error.ts';
import type { Identity } from './identity.ts';

const CALLER_HEADERS = ['x-workspace-id', 'x-source-workspace-id'] as const;

/**
 * Holds the caller headers against the token (decision 6): both name the token's own workspace, or the answer
 * is 403. An operator has no workspace, so for one the two need only agree with each other.
 */
export function checkCallerHeaders(headers: IncomingHttpHeaders, identity: Identity): void {
  const named = CALLER_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [{ name, id: value.trim().toLowerCase() }] : [];
  });
  const [first] = named;
  const expected = identity.kind === 'workspace' ? identity.workspaceId : first?.id;
  const wrong = named.find(({ id }) => id !== expected);
  if (wrong === undefined) return;
  throw new ApiError(403, 'caller_mismatch', 'invalid caller ID', {
    extras: { field: wrong.name, hint: 'The caller is taken from the bearer token; leave the header out.' },
  });
}
