import { type Route, type RouteAccess, routes } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import { requireCaller, requireOperator } from './access.ts';
import { checkCallerHeaders } from './caller-headers.ts';

const ACCESS_OF_ROUTE: ReadonlyMap<string, RouteAccess> = new Map(
  Object.values<Route>(routes).map(({ method, path, access }) => [`${method} ${path}`, access]),
);

/**
 * Turns a caller away before the body is read, by what the wire contract's route table says of the route. A route
 * that the table does not know needs a caller. Which workspace a caller may touch is up to the route, and so is
 * what the old token of a removed workspace gets (wire contract 8, row 13).
 */
export function letIn(request: FastifyRequest): void {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const access = ACCESS_OF_ROUTE.get(`${method} ${request.routeOptions.url ?? ''}`) ?? 'caller';
  if (access === 'anonymous') return;
  if (access === 'operator') {
    requireOperator(request);
    return;
  }
  checkCallerHeaders(request.headers, request.identity);
  if (access === 'claim' || request.identity.kind === 'removed') return;
  requireCaller(request);
}
