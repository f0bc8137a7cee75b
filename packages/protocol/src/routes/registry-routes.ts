import { HeartbeatAnswer, HeartbeatRequest } from '../heartbeat.ts';
import {
  CheckAccessAnswer,
  CheckAccessRequest,
  DiscoverAnswer,
  Jwks,
  PeerList,
  PeersQuery,
} from '../peers.ts';
import { RegisterAnswer, RegisterRequest, UpdateCardAnswer, UpdateCardRequest } from '../registration.ts';
import { route } from './route.ts';

/** The registry: presence, cards and peers (wire contract 3.10 to 3.15, decision 9). */
export const registryRoutes = {
  register: route(
    {
      method: 'POST',
      path: '/registry/register',
      auth: 'claim',
      request: RegisterRequest,
      responses: { 200: RegisterAnswer },
    },
    ['unsafe_url', 'url_required', 'invalid_workspace_id', 'token_limit'],
  ),
  heartbeat: route(
    {
      method: 'POST',
      path: '/registry/heartbeat',
      auth: 'own',
      request: HeartbeatRequest,
      responses: { 200: HeartbeatAnswer },
    },
    [],
  ),
  updateCard: route({
    method: 'POST',
    path: '/registry/update-card',
    auth: 'own',
    request: UpdateCardRequest,
    responses: { 200: UpdateCardAnswer },
  }),
  discover: route(
    {
      method: 'GET',
      path: '/registry/discover/:id',
      auth: 'caller',
      responses: { 200: DiscoverAnswer },
    },
    ['access_denied', 'unsafe_url', 'workspace_unavailable', 'workspace_not_found', 'invalid_workspace_id'],
  ),
  listPeers: route({
    method: 'GET',
    path: '/registry/:id/peers',
    auth: 'workspace',
    query: PeersQuery,
    responses: { 200: PeerList },
  }),
  checkAccess: route(
    {
      method: 'POST',
      path: '/registry/check-access',
      auth: 'caller',
      request: CheckAccessRequest,
      responses: { 200: CheckAccessAnswer },
    },
    ['invalid_workspace_id'],
  ),
  jwks: route({
    method: 'GET',
    path: '/.well-known/jwks.json',
    auth: 'none',
    responses: { 200: Jwks },
  }),
} as const;
