import type { PatchWorkspaceRequest } from '@molecule-ai/protocol';
import type { WorkspaceUpdate } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';

/** What a workspace may change of itself; rank, place and runtime are the operator's (wire contract 9, ✗7). */
const OWN_FIELDS: ReadonlySet<string> = new Set(['name', 'role', 'x', 'y', 'collapsed']);

/** The first field that a workspace token may not change, if the body has one. */
export function forbiddenField(body: PatchWorkspaceRequest): string | undefined {
  return Object.entries(body).find(([field, value]) => value !== undefined && !OWN_FIELDS.has(field))?.[0];
}

/** The columns that need nothing but the body. `x` and `y` only count together. */
export function plainChanges(body: PatchWorkspaceRequest): WorkspaceUpdate {
  if (body.runtime !== undefined && body.runtime !== 'external') {
    throw new ApiError(501, 'not_supported', 'this platform runs no containers', {
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
