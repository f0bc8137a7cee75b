import { AdminLiveness, Health, Ready } from '../health.ts';
import { MintOrgKeyAnswer, MintOrgKeyRequest, OrgKeyList, RevokeOrgKeyAnswer } from '../org-keys.ts';
import { EventList, EventsQuery } from '../platform-event.ts';
import { CreateSessionRequest, SessionAnswer } from '../session.ts';
import { route } from './route.ts';

/** Sessions, org keys, events and health (wire contract 3.9, 3.25 and 3.26; decision 8). */
export const platformRoutes = {
  createSession: route(
    {
      method: 'POST',
      path: '/session',
      auth: 'none',
      request: CreateSessionRequest,
      responses: { 200: SessionAnswer },
    },
    ['invalid_credentials', 'forbidden'],
  ),
  deleteSession: route(
    { method: 'DELETE', path: '/session', auth: 'none', responses: { 200: SessionAnswer } },
    ['missing_credentials', 'invalid_credentials', 'forbidden'],
  ),
  listOrgKeys: route({
    method: 'GET',
    path: '/org/tokens',
    auth: 'operator',
    responses: { 200: OrgKeyList },
  }),
  mintOrgKey: route(
    {
      method: 'POST',
      path: '/org/tokens',
      auth: 'operator',
      request: MintOrgKeyRequest,
      responses: { 200: MintOrgKeyAnswer },
    },
    ['org_key_limit'],
  ),
  revokeOrgKey: route(
    {
      method: 'DELETE',
      path: '/org/tokens/:id',
      auth: 'operator',
      responses: { 200: RevokeOrgKeyAnswer },
    },
    ['org_key_not_found'],
  ),
  listEvents: route({
    method: 'GET',
    path: '/events',
    auth: 'operator',
    query: EventsQuery,
    responses: { 200: EventList },
  }),
  listWorkspaceEvents: route(
    {
      method: 'GET',
      path: '/events/:workspaceId',
      auth: 'operator',
      query: EventsQuery,
      responses: { 200: EventList },
    },
    ['invalid_workspace_id', 'workspace_not_found'],
  ),
  streamEvents: route({
    method: 'GET',
    path: '/workspaces/:id/events/stream',
    auth: 'workspace',
    responses: { 200: { media: 'text/event-stream' } },
  }),
  openSocket: route({ method: 'GET', path: '/ws', auth: 'caller', responses: { 101: { media: '' } } }),
  health: route({ method: 'GET', path: '/health', auth: 'none', responses: { 200: Health } }),
  ready: route({ method: 'GET', path: '/ready', auth: 'none', responses: { 200: Ready } }),
  adminLiveness: route({
    method: 'GET',
    path: '/admin/liveness',
    auth: 'operator',
    responses: { 200: AdminLiveness },
  }),
  metrics: route({
    method: 'GET',
    path: '/metrics',
    auth: 'operator',
    responses: { 200: { media: 'text/plain' } },
  }),
} as const;
