import { CheckAccessRequest, PeersQuery } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { requireCaller, requireWorkspaceAccess } from '../http/access.ts';
import { ApiError } from '../http/api-error.ts';
import { parseBody, parseQuery, workspaceParam } from '../http/parse.ts';
import type { DiscoveryService } from './discovery.service.ts';

/** Finding peers (wire contract 3.13 to 3.15). The caller is the token's workspace; no header is needed. */
export function registerDiscoveryRoutes(app: FastifyInstance, discovery: DiscoveryService): void {
  app.get('/registry/discover/:id', async (request) => {
    const caller = requireCaller(request);
    const callerId = caller.kind === 'workspace' ? caller.workspaceId : null;
    return discovery.discover(callerId, workspaceParam(request));
  });

  app.get('/registry/:id/peers', async (request) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    return discovery.peers(id, parseQuery(PeersQuery, request.query).q);
  });

  app.post('/registry/check-access', async (request) => {
    const caller = requireCaller(request);
    const body = parseBody(CheckAccessRequest, request.body);
    const callerId = body.caller_id.toLowerCase();
    if (caller.kind === 'workspace' && caller.workspaceId !== callerId) {
      throw new ApiError(403, 'forbidden', 'a workspace may only ask about itself', {
        extras: { field: 'caller_id' },
      });
    }
    return { allowed: await discovery.mayCommunicate(callerId, body.target_id.toLowerCase()) };
  });
}
