import { randomUUID } from 'node:crypto';
import type { CreateWorkspaceRequest, PatchWorkspaceRequest } from '@molecule-ai/protocol';
import type { NewWorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import type { AgentAddress } from '../directory/agent-address.rules.ts';
import { HttpError } from '../http/http-error.ts';

/** The tier of a workspace whose creator names none, or 0. */
const DEFAULT_TIER = 3;
const EXTERNAL = 'external';

/** Fields that the token of a workspace may change; only an operator may change the others. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['name', 'role', 'x', 'y', 'collapsed']);

/** The first field that a workspace token may not change, if the body has one. */
export function forbiddenField(body: PatchWorkspaceRequest): string | undefined {
  return Object.entries(body).find(([field, value]) => value !== undefined && !OWN_FIELDS.has(field))?.[0];
}

/** The columns that follow from the body alone. `x` and `y` are applied only together. */
export function plainChanges(body: PatchWorkspaceRequest): WorkspaceUpdate {
  if (body.runtime !== undefined && body.runtime !== EXTERNAL) {
    throw new HttpError(501, 'not_supported', 'this platform runs no containers', {
      extras: { field: 'runtime', hint: 'The runtime of every workspace here is "external".' },
    });
  }
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.role === undefined ? {} : { role: body.role }),
    ...(body.tier === undefined ? {} : { tier: body.tier }),
    ...(body.max_concurrent_tasks === undefined ? {} : { max_concurrent_tasks: body.max_concurrent_tasks }),
    ...(body.workspace_dir === undefined ? {} : { workspace_dir: body.workspace_dir }),
    ...(body.collapsed === undefined ? {} : { collapsed: body.collapsed ? 1 : 0 }),
    ...(body.x === undefined || body.y === undefined ? {} : { x: body.x, y: body.y }),
  };
}

/** This platform has no containers and no secrets, and a request for them must not appear to succeed. */
export function refuseUnsupported(body: CreateWorkspaceRequest): void {
  const wantsContainer = body.external !== true && body.runtime !== undefined && body.runtime !== EXTERNAL;
  if (wantsContainer || (body.external === false && body.runtime !== EXTERNAL)) {
    throw new HttpError(501, 'not_supported', 'this platform runs no containers', {
      extras: { field: 'runtime', hint: 'Send "runtime": "external" and run the agent yourself.' },
    });
  }
  if (body.secrets !== undefined && Object.keys(body.secrets).length > 0) {
    throw new HttpError(501, 'not_supported', 'this platform does not keep secrets yet', {
      extras: { field: 'secrets', hint: 'Give the agent its secrets where it runs.' },
    });
  }
}

/** The row of a new workspace, under a new id. */
export function newWorkspaceRow(
  body: CreateWorkspaceRequest,
  { url, deliveryMode }: AgentAddress,
  now: string,
): NewWorkspaceRow {
  return {
    id: randomUUID(),
    name: body.name,
    role: body.role ?? null,
    tier: body.tier === undefined || body.tier === 0 ? DEFAULT_TIER : body.tier,
    status: 'awaiting_agent',
    runtime: EXTERNAL,
    url,
    delivery_mode: deliveryMode,
    parent_id: body.parent_id?.toLowerCase() ?? null,
    max_concurrent_tasks: body.max_concurrent_tasks ?? 1,
    budget_limit: body.budget_limit ?? null,
    x: body.canvas?.x ?? 0,
    y: body.canvas?.y ?? 0,
    workspace_dir: body.workspace_dir ?? null,
    created_at: now,
    updated_at: now,
  };
}
