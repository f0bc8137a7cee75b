import { A2aAgentCard } from '../agent-card.ts';
import {
  CheckAccessRequest,
  CheckAccessResponse,
  DiscoverResponse,
  Jwks,
  PeerList,
  PeersQuery,
} from '../peers.ts';
import { GoodbyeRequest, GoodbyeResponse } from '../presence-identity.ts';
import { ProbeRequest, ProbeResponse } from '../probe.ts';
import {
  HeartbeatRequest,
  HeartbeatResponse,
  RegisterRequest,
  RegisterResponse,
  UpdateCardRequest,
  UpdateCardResponse,
} from '../registration.ts';
import { defineRoutes } from './route.ts';

/** Clients of A2A read the card at the base URL of an agent, or beside it when that does not end with a slash. */
function cardRoute<const Path extends string>(path: Path) {
  return {
    method: 'GET',
    path,
    summary:
      'Returns the agent card of a workspace for clients of A2A, which then send to `/workspaces/:id/a2a`.',
    access: 'caller',
    responses: { 200: A2aAgentCard },
    errors: ['access_denied', 'workspace_not_found', 'invalid_workspace_id'],
  } as const;
}

/** The registry: presence, cards and peers. */
export const registryRoutes = defineRoutes({
  register: {
    method: 'POST',
    path: '/registry/register',
    summary: 'Registers the agent of a workspace; the first register also returns its token.',
    access: 'claim',
    request: RegisterRequest,
    responses: { 200: RegisterResponse },
    errors: ['unsafe_url', 'url_required', 'invalid_workspace_id', 'token_limit'],
    repeat: 'idempotent',
  },
  heartbeat: {
    method: 'POST',
    path: '/registry/heartbeat',
    summary: 'Reports that the agent is alive, with its metrics, and returns the state of its workspace.',
    access: 'own',
    request: HeartbeatRequest,
    responses: { 200: HeartbeatResponse },
    repeat: 'idempotent',
  },
  goodbye: {
    method: 'POST',
    path: '/registry/goodbye',
    summary: 'Reports that one running agent of the workspace stops, so that nobody waits for it.',
    access: 'own',
    request: GoodbyeRequest,
    responses: { 200: GoodbyeResponse },
    repeat: 'idempotent',
  },
  updateCard: {
    method: 'POST',
    path: '/registry/update-card',
    summary: 'Replaces the agent card of a workspace.',
    access: 'own',
    request: UpdateCardRequest,
    responses: { 200: UpdateCardResponse },
    repeat: 'idempotent',
  },
  discover: {
    method: 'GET',
    path: '/registry/discover/:id',
    summary: 'Returns where a peer can be reached.',
    access: 'caller',
    responses: { 200: DiscoverResponse },
    errors: [
      'access_denied',
      'unsafe_url',
      'workspace_unavailable',
      'workspace_not_found',
      'invalid_workspace_id',
    ],
  },
  agentCard: cardRoute('/workspaces/:id/a2a/.well-known/agent-card.json'),
  agentCardBeside: cardRoute('/workspaces/:id/.well-known/agent-card.json'),
  oldAgentCard: cardRoute('/workspaces/:id/a2a/.well-known/agent.json'),
  oldAgentCardBeside: cardRoute('/workspaces/:id/.well-known/agent.json'),
  probe: {
    method: 'POST',
    path: '/workspaces/:id/probe',
    summary: 'Returns whether the platform reaches the server of an agent.',
    access: 'workspace',
    request: ProbeRequest,
    responses: { 200: ProbeResponse },
    errors: ['url_required'],
    repeat: 'safe',
    timeLimit: 'message',
  },
  listPeers: {
    method: 'GET',
    path: '/registry/:id/peers',
    summary: 'Lists the workspaces that a workspace may communicate with.',
    access: 'workspace',
    query: PeersQuery,
    responses: { 200: PeerList },
  },
  checkAccess: {
    method: 'POST',
    path: '/registry/check-access',
    summary: 'Returns whether one workspace may communicate with another.',
    access: 'caller',
    request: CheckAccessRequest,
    responses: { 200: CheckAccessResponse },
    errors: ['invalid_workspace_id'],
    repeat: 'safe',
  },
  jwks: {
    method: 'GET',
    path: '/.well-known/jwks.json',
    summary: 'Returns the public keys that verify peer tokens.',
    access: 'anonymous',
    responses: { 200: Jwks },
  },
});
