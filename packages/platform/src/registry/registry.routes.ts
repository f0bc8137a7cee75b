import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { requireWorkspace } from '../http/access.ts';
import { mount } from '../http/mount.ts';
import { parseWorkspaceId } from '../http/parse.ts';
import type { RegistryService } from './registry.service.ts';

/** Register, heartbeat and card; the body names the workspace. */
export function mountRegistryRoutes(app: FastifyInstance, registry: RegistryService): void {
  const options = { bodyError: 'invalid request body' };

  mount(app, routes.register, options, ({ body, caller }) =>
    registry.register(workspaceOf(body), body, caller),
  );

  mount(app, routes.heartbeat, options, ({ body, caller }) => {
    const id = workspaceOf(body);
    requireWorkspace(caller, id);
    return registry.heartbeat(id, body);
  });

  mount(app, routes.updateCard, options, async ({ body, caller }) => {
    const id = workspaceOf(body);
    requireWorkspace(caller, id);
    await registry.updateCard(id, body.agent_card);
    return { status: 'updated' };
  });
}

/** Either key; the schema has validated that both name the same workspace. */
function workspaceOf(body: { id?: string | undefined; workspace_id?: string | undefined }): string {
  const field = body.workspace_id === undefined ? 'id' : 'workspace_id';
  return parseWorkspaceId(body.workspace_id ?? body.id, field);
}
