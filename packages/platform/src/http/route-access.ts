import { ROUTES, type Route, type RouteAuth } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import { requireCaller, requireOperator } from './access.ts';
import { checkCallerHeaders } from './caller-headers.ts';

const AUTH_OF_ROUTE: ReadonlyMap<string, RouteAuth> = new Map(
  Object.values<Route>(ROUTES).map(({ method, path, auth }) => [`${method} ${path}`, auth]),
);

/**
 * Turns a caller away before the body is read, by what the wire contract's route table says of the route. A route
 * that the table does not know needs a caller. Which workspace a caller may touch is up to the route, and so is
 * what the old token of a removed workspace gets (wire contract 8, row 13).
 */
export function letIn(request: FastifyRequest): void {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const auth = AUTH_OF_ROUTE.get(`${method} ${request.routeOptions.url ?? ''}`) ?? 'caller';
  if (auth === 'none') return;
  if (auth === 'operator') {
    requireOperator(request);
    return;
  }
  checkCallerHeaders(request.headers, request.identity);
  if (auth === 'claim' || request.identity.kind === 'removed') return;
  requireCaller(request);
}
