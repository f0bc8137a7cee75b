import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../http/api-error.ts';
import { mount } from '../http/mount.ts';
import type { DiscoveryService } from './discovery.service.ts';

/** Finding peers. The caller is the token's workspace; no header is needed. */
export function mountDiscoveryRoutes(app: FastifyInstance, discovery: DiscoveryService): void {
  mount(app, routes.discover, ({ params, caller }) =>
    discovery.discover(caller.kind === 'workspace' ? caller.workspaceId : null, params.id),
  );

  mount(app, routes.listPeers, ({ params, query }) => discovery.peers(params.id, query.q));

  mount(app, routes.checkAccess, async ({ body, caller }) => {
    const callerId = body.caller_id.toLowerCase();
    if (caller.kind === 'workspace' && caller.workspaceId !== callerId) {
      throw new ApiError(403, 'forbidden', 'a workspace may only ask about itself', {
        extras: { field: 'caller_id' },
      });
    }
    return { allowed: await discovery.mayCommunicate(callerId, body.target_id.toLowerCase()) };
  });
}
