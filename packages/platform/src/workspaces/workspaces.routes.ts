import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { workspaceRemoved } from '../directory/workspace-directory.ts';
import type { RemovedHolder } from '../http/callers.ts';
import type { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import type { LifecycleService } from './lifecycle.service.ts';
import { removedState, type WorkspacesService } from './workspaces.service.ts';

/** Workspaces and their lifecycle. */
export function mountWorkspacesRoutes(
  app: FastifyInstance,
  workspaces: WorkspacesService,
  lifecycle: LifecycleService,
): void {
  const creation = { bodyError: 'invalid workspace payload' };
  mount(app, routes.createWorkspace, creation, ({ body }) => workspaces.create(body));

  mount(app, routes.listWorkspaces, () => workspaces.list());

  mount(app, routes.getWorkspace, whenRemoved(workspaceRemoved), ({ params, query, caller }) =>
    workspaces.get(params.id, caller, { includeRemoved: query.include_removed === 'true' }),
  );

  mount(app, routes.patchWorkspace, ({ params, caller, body }) => workspaces.patch(params.id, caller, body));

  mount(app, routes.deleteWorkspace, ({ params, query }) =>
    lifecycle.remove(params.id, { confirmed: query.confirm === 'true', purge: query.purge === 'true' }),
  );

  mount(app, routes.pauseWorkspace, ({ params, caller }) => lifecycle.pause(params.id, caller));

  mount(app, routes.resumeWorkspace, ({ params, caller }) => lifecycle.resume(params.id, caller));

  mount(app, routes.getWorkspaceState, whenRemoved(removedState), ({ params }) =>
    workspaces.state(params.id),
  );
}

/** What the old token of a removed workspace gets when it names the workspace itself. */
function whenRemoved(errorOf: (id: string, removedAt: string | null) => HttpError) {
  return {
    removedError: ({ workspaceId, removedAt }: RemovedHolder, { id }: { readonly id: string }) =>
      workspaceId === id ? errorOf(id, removedAt) : undefined,
  };
}
