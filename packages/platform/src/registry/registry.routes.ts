import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { requireWorkspace } from '../http/callers.ts';
import { mount, parseWorkspaceId } from '../http/mount.ts';
import { type ReaderIdentities, readInstanceId } from '../instances/reader-identities.ts';
import type { AgentProbe } from './agent-probe.ts';
import type { RegistryService } from './registry.service.ts';

/** Register, heartbeat, card and probe; the body names the workspace, except of a probe. */
export function mountRegistryRoutes(
  app: FastifyInstance,
  registry: RegistryService,
  instances: ReaderIdentities,
  probe: AgentProbe,
): void {
  const options = { bodyError: 'invalid request body' };

  mount(app, routes.register, options, async ({ body, caller, request }) => {
    const id = workspaceOf(body);
    const instanceId = readInstanceId(request);
    const response = await registry.register(id, body, caller);
    if (instanceId !== undefined) instances.renew(id, instanceId);
    return response;
  });

  mount(app, routes.heartbeat, options, async ({ body, caller, request }) => {
    const id = workspaceOf(body);
    requireWorkspace(caller, id);
    const instanceId = readInstanceId(request);
    const response = await registry.heartbeat(id, body);
    if (instanceId !== undefined) instances.renew(id, instanceId);
    return response;
  });

  mount(app, routes.goodbye, options, async ({ body, caller }) => {
    const id = parseWorkspaceId(body.workspace_id, 'workspace_id');
    requireWorkspace(caller, id);
    return { status: 'goodbye', workspace_status: await registry.goodbye(id, body.instance_id) };
  });

  mount(app, routes.probe, options, ({ params, body }) => probe.probe(params.id, body.url));

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
