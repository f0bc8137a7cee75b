import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { Caller } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import type { DiscoveryService } from './discovery.service.ts';

/** The routes to find peers. The caller is the workspace of the token; no header is needed. */
export function mountDiscoveryRoutes(app: FastifyInstance, discovery: DiscoveryService): void {
  mount(app, routes.discover, ({ params, caller }) => discovery.discover(idOf(caller), params.id));

  const card = ({ params, caller }: { readonly params: { readonly id: string }; readonly caller: Caller }) =>
    discovery.card(idOf(caller), params.id);
  mount(app, routes.agentCard, card);
  mount(app, routes.agentCardBeside, card);
  mount(app, routes.oldAgentCard, card);
  mount(app, routes.oldAgentCardBeside, card);

  mount(app, routes.listPeers, ({ params, query }) => discovery.peers(params.id, query.q));

  mount(app, routes.checkAccess, async ({ body, caller }) => {
    const callerId = body.caller_id.toLowerCase();
    if (caller.kind === 'workspace' && caller.workspaceId !== callerId) {
      throw new HttpError(403, 'forbidden', 'a workspace may only check its own access', {
        field: 'caller_id',
      });
    }
    return { allowed: await discovery.mayCommunicate(callerId, body.target_id.toLowerCase()) };
  });
}

/** Null for an operator, who may discover every workspace. */
function idOf(caller: Caller): string | null {
  return caller.kind === 'workspace' ? caller.workspaceId : null;
}
