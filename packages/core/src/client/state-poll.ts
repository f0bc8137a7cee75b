import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import { getWorkspaceState } from '../platform-api/workspaces.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** How the workspace stands. */
export interface WorkspaceStateReport {
  readonly workspaceId: string;
  /** `online`, `paused`, `removed` …; treat unknown words as running. */
  readonly status: string;
  readonly paused: boolean;
  /** Final. */
  readonly deleted: boolean;
  /** `paused || deleted`. */
  readonly shouldStop: boolean;
}

/**
 * Asks for the state. Only `deleted: true`, a 410 or the code `workspace_removed` mean that it is deleted; a bare
 * 404 comes from a gateway and throws `routing_problem` (decision 17).
 */
export async function pollWorkspaceState(
  transport: Transport,
  workspaceId: string,
  options: CallOptions,
): Promise<WorkspaceStateReport> {
  try {
    const { status, paused, deleted } = await getWorkspaceState(transport, workspaceId, options);
    return { workspaceId, status, paused, deleted, shouldStop: paused || deleted };
  } catch (error) {
    if (!WorkspaceRemovedError.isInstance(error)) throw error;
    return { workspaceId, status: 'removed', paused: false, deleted: true, shouldStop: true };
  }
}
