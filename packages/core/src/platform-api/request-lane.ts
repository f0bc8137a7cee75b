import type { Route, routes } from '@molecule-ai/protocol';
import type { RequestLane } from '../transport/platform-request.ts';

type RouteName = keyof typeof routes;

/** The platform reports an agent as offline without these. */
const PRESENCE: ReadonlySet<string> = new Set<RouteName>([
  'register',
  'heartbeat',
  'getWorkspaceState',
  'goodbye',
]);

/** An agent cannot receive messages, or finish them, without these; a reply is sent by a route that calls use too. */
const RECEIVING: ReadonlySet<string> = new Set<RouteName>([
  'getWorkspace',
  'probe',
  'jwks',
  'listActivity',
  'getActivityRow',
  'acknowledgeActivity',
  'reportProgress',
  'notify',
]);

/** The lane of the requests of a route, unless they name another one. */
export function laneOf({ name }: Route): RequestLane {
  if (PRESENCE.has(name)) return 'presence';
  return RECEIVING.has(name) ? 'receiving' : 'calls';
}
