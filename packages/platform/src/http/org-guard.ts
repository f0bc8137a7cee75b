import type { FastifyRequest } from 'fastify';
import { ApiError } from './api-error.ts';

/**
 * Turns requests of other organisations away once `MOLECULE_ORG_ID` is set (decision 27): 404, so that nothing
 * is said about this one.
 */
export function checkOrg(request: FastifyRequest, orgId: string | null): void {
  if (orgId === null) return;
  const named = request.headers['x-molecule-org-id'];
  if (typeof named === 'string' && named.trim().toLowerCase() === orgId.toLowerCase()) return;
  throw new ApiError(404, 'org_mismatch', 'not found', {
    extras: { hint: 'Send X-Molecule-Org-Id with the id of this organisation.' },
  });
}

/** True for health and readiness: they answer load balancers that know no organisation, and while all else fails. */
export function isProbe(request: FastifyRequest): boolean {
  return request.routeOptions.url === '/health' || request.routeOptions.url === '/ready';
}
