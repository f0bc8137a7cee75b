import {
  type CreateWorkspaceRequest,
  type CreateWorkspaceResponse,
  type PatchWorkspaceRequest,
  type PatchWorkspaceResponse,
  routes,
  type WorkspaceDetail,
  type WorkspaceListRow,
  type WorkspaceState,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import { decideAgentAddress } from '../directory/agent-address.rules.ts';
import { requireAlive, workspaceNotFound, workspaceRemoved } from '../directory/workspace-directory.ts';
import { toDetail, toListRow } from '../directory/workspace-view.rules.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import type { Caller, RemovedHolder } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';
import { describeConnection } from './connection.rules.ts';
import type { LifecycleService } from './lifecycle.service.ts';
import {
  forbiddenField,
  newWorkspaceRow,
  plainChanges,
  refuseUnsupported,
} from './workspace-change.rules.ts';

export interface WorkspacesServiceOptions extends PlatformContext {
  readonly hierarchy: HierarchyService;
  readonly tokens: TokensService;
}

/** Creates, reads and changes workspaces. */
export class WorkspacesService {
  readonly #options: WorkspacesServiceOptions;

  constructor(options: WorkspacesServiceOptions) {
    this.#options = options;
  }

  /** Creates a workspace; returns its first token and samples to connect its agent. */
  async create(body: CreateWorkspaceRequest): Promise<CreateWorkspaceResponse> {
    const { addressGuard, clock, database, events, tokens, workspaces } = this.#options;
    refuseUnsupported(body);
    const requested = { url: body.url, deliveryMode: body.delivery_mode };
    const stored = { url: null, deliveryMode: 'poll' } as const;
    const address = decideAgentAddress(requested, stored, addressGuard.checkUrl);
    const row = newWorkspaceRow(body, address, timestamp(clock));
    const { id: workspaceId, name, tier, runtime } = row;
    const { token } = await database.transaction(async (unit) => {
      if (row.parent_id != null) await this.#requireParent(unit, row.parent_id);
      await workspaces.insert(row, unit.trx);
      const created = { name, tier, runtime };
      await events.append(unit, { type: 'WORKSPACE_PROVISIONING', workspaceId, payload: created });
      const payload = { name, external: true };
      await events.append(unit, { type: 'WORKSPACE_AWAITING_AGENT', workspaceId, payload });
      return tokens.issue(unit, workspaceId, 'create');
    });
    const platformUrl = this.#options.address.url;
    const { orgId } = this.#options.settings.security;
    const connection = describeConnection({ workspaceId, name, platformUrl, token, orgId, address });
    return { id: workspaceId, external: true, status: 'awaiting_agent', connection };
  }

  async list(): Promise<WorkspaceListRow[]> {
    return (await this.#options.workspaces.list()).map(toListRow);
  }

  /** For operators, the workspace itself and those who may communicate with it; 410 when removed. */
  async get(
    id: string,
    caller: Caller,
    { includeRemoved }: { includeRemoved: boolean },
  ): Promise<WorkspaceDetail> {
    const { hierarchy, workspaces } = this.#options;
    if (caller.kind === 'workspace' && !(await hierarchy.canCommunicate(caller.workspaceId, id))) {
      throw new HttpError(403, 'access_denied', 'not authorized to read this workspace');
    }
    const row = await workspaces.find(id);
    if (row === undefined) throw workspaceNotFound();
    const isForPeer = caller.kind === 'workspace' && caller.workspaceId !== row.id;
    return toDetail(includeRemoved ? row : requireAlive(row), { isForPeer });
  }

  async state(id: string): Promise<WorkspaceState> {
    const row = await this.#options.workspaces.find(id);
    if (row === undefined) {
      throw new HttpError(404, 'workspace_not_found', 'workspace not found', {
        workspace_id: id,
        deleted: true,
      });
    }
    if (row.status === 'removed') throw removedState(id, row.removed_at);
    return { workspace_id: id, status: row.status, paused: row.status === 'paused', deleted: false };
  }

  /** Changes all fields of the body or none. */
  patch(id: string, caller: Caller, body: PatchWorkspaceRequest): Promise<PatchWorkspaceResponse> {
    const { clock, database, events, hierarchy, workspaces } = this.#options;
    const parentId = body.parent_id?.toLowerCase();
    return database.transaction(async (unit) => {
      const tree = parentId === undefined ? [] : await hierarchy.lockSubtree(unit, id, parentId);
      const row = await workspaces.lock(unit, id);
      const forbidden = caller.kind === 'workspace' ? forbiddenField(body) : undefined;
      if (forbidden !== undefined) {
        throw new HttpError(403, 'forbidden', `a workspace token may not change ${forbidden}`, {
          field: forbidden,
          hint: 'Use the operator key.',
        });
      }
      if (parentId !== undefined) await this.#requireParent(unit, parentId);
      if (tree.some((member) => member.id === parentId)) {
        throw invalidParent('the hierarchy would contain a cycle');
      }
      const parent = body.parent_id === undefined ? {} : { parent_id: parentId ?? null };
      const change = { ...plainChanges(body), ...this.#addressChange(row, body), ...parent };
      const fields = Object.keys(change);
      if (fields.length > 0) {
        await workspaces.change(row, { ...change, updated_at: timestamp(clock) }, unit.trx);
        await events.append(unit, { type: 'WORKSPACE_UPDATED', workspaceId: id, payload: { fields } });
      }
      return { status: 'updated', ...(body.workspace_dir === undefined ? {} : { needs_restart: true }) };
    });
  }

  async #requireParent(unit: UnitOfWork, parentId: string): Promise<void> {
    await unit.lock?.(parentId);
    const parent = await this.#options.workspaces.find(parentId, unit.trx);
    if (parent === undefined) throw invalidParent('the workspace does not exist');
    if (parent.status === 'removed') throw invalidParent('the workspace was removed');
  }

  #addressChange(row: WorkspaceRow, body: PatchWorkspaceRequest): WorkspaceUpdate {
    if (body.url === undefined && body.delivery_mode === undefined) return {};
    const stored = { url: row.url, deliveryMode: row.delivery_mode === 'push' ? 'push' : 'poll' } as const;
    const requested = { url: body.url, deliveryMode: body.delivery_mode };
    const address = decideAgentAddress(requested, stored, this.#options.addressGuard.checkUrl);
    return { url: address.url, delivery_mode: address.deliveryMode };
  }
}

/** The response of `/state` for a removed workspace, also for its old token. */
export function removedState(id: string, removedAt: string | null): HttpError {
  return new HttpError(404, 'workspace_removed', 'workspace removed', {
    workspace_id: id,
    status: 'removed',
    deleted: true,
    removed_at: removedAt,
  });
}

function invalidParent(problem: string): HttpError {
  return new HttpError(400, 'invalid_parent', `invalid parent_id: ${problem}`, { field: 'parent_id' });
}

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
