import {
  CreateWorkspaceRequest,
  DeleteWorkspaceQuery,
  GetWorkspaceQuery,
  PatchWorkspaceRequest,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { workspaceRemoved } from '../directory/workspace-directory.ts';
import { removedHolder, requireCaller, requireWorkspaceAccess } from '../http/access.ts';
import { parseBody, parseQuery, workspaceParam } from '../http/parse.ts';
import type { LifecycleService } from './lifecycle.service.ts';
import { removedState, type WorkspacesService } from './workspaces.service.ts';

/** Workspaces and their lifecycle (wire contract 3.1 to 3.7). */
export function registerWorkspacesRoutes(
  app: FastifyInstance,
  workspaces: WorkspacesService,
  lifecycle: LifecycleService,
): void {
  app.post('/workspaces', async (request, reply) => {
    const body = parseBody(CreateWorkspaceRequest, request.body, 'invalid workspace payload');
    return reply.code(201).send(await workspaces.create(body));
  });

  app.get('/workspaces', () => workspaces.list());

  app.get('/workspaces/:id', async (request) => {
    const id = workspaceParam(request);
    const gone = removedHolder(request);
    if (gone?.workspaceId === id) throw workspaceRemoved(id, gone.removedAt);
    const caller = requireCaller(request);
    const { include_removed } = parseQuery(GetWorkspaceQuery, request.query);
    return workspaces.get(id, caller, { includeRemoved: include_removed === 'true' });
  });

  app.patch('/workspaces/:id', async (request) => {
    const id = workspaceParam(request);
    const caller = requireWorkspaceAccess(request, id);
    return workspaces.patch(id, caller, parseBody(PatchWorkspaceRequest, request.body));
  });

  app.delete('/workspaces/:id', async (request) => {
    const id = workspaceParam(request);
    const query = parseQuery(DeleteWorkspaceQuery, request.query);
    return lifecycle.remove(id, { confirmed: query.confirm === 'true', purge: query.purge === 'true' });
  });

  app.post('/workspaces/:id/pause', async (request) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    return lifecycle.pause(id);
  });

  app.post('/workspaces/:id/resume', async (request) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    return lifecycle.resume(id);
  });

  app.get('/workspaces/:id/state', async (request) => {
    const id = workspaceParam(request);
    const gone = removedHolder(request);
    if (gone?.workspaceId === id) throw removedState(id, gone.removedAt);
    requireWorkspaceAccess(request, id);
    return workspaces.state(id);
  });
}
