import { routes } from '@molecule-ai/protocol';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { call, send } from '../platform-api/call.ts';
import { getWorkspace, getWorkspaceState, type WorkspaceStateReport } from '../platform-api/workspaces.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

export interface DeleteWorkspaceOptions extends CallOptions {
  /** Also deletes the children; otherwise a workspace with children is refused with 409. @default false */
  confirm?: boolean | undefined;
  /** Deletes the stored rows instead of keeping them for the audit trail. @default false */
  purge?: boolean | undefined;
}

/** Whether a platform that names no capabilities refused a request with this status. */
function isRefusedElsewhere({ capabilities }: Transport, error: unknown, status: number): boolean {
  return ApiError.isInstance(error) && error.status === status && capabilities.words.size === 0;
}

/** Deletes a workspace. Some platforms also require its name, which is then read and sent. */
export async function deleteWorkspace(
  transport: Transport,
  workspaceId: string,
  { confirm, purge, signal }: DeleteWorkspaceOptions,
): Promise<number> {
  const query = { confirm: confirm || undefined, purge: purge || undefined };
  const input = { params: { id: workspaceId }, query, signal };
  try {
    return (await call(transport, routes.deleteWorkspace, input)).cascade_deleted;
  } catch (error) {
    if (confirm !== true || !isRefusedElsewhere(transport, error, 400)) throw error;
    const { name } = await getWorkspace(transport, workspaceId, { signal });
    // A header has bytes: the name is sent in UTF-8.
    const headers = { 'x-confirm-name': Buffer.from(name, 'utf8').toString('latin1') };
    return (await call(transport, routes.deleteWorkspace, { ...input, headers })).cascade_deleted;
  }
}

/** Pauses a workspace and its descendants. */
export async function pauseTree(
  transport: Transport,
  workspaceId: string,
  { signal }: CallOptions,
): Promise<number> {
  const input = { params: { id: workspaceId }, signal };
  const response = await withDescendants(transport, (query) =>
    call(transport, routes.pauseWorkspace, { ...input, query }),
  );
  return response.paused_count;
}

/** Resumes a workspace and its descendants. */
export async function resumeTree(
  transport: Transport,
  workspaceId: string,
  { signal }: CallOptions,
): Promise<number> {
  const input = { params: { id: workspaceId }, signal };
  const response = await withDescendants(transport, (query) =>
    call(transport, routes.resumeWorkspace, { ...input, query }),
  );
  return response.resumed_count;
}

/** Some platforms refuse a workspace with descendants unless the request has `cascade`, which ours does not know. */
async function withDescendants<T>(
  transport: Transport,
  attempt: (query: { readonly cascade?: true }) => Promise<T>,
): Promise<T> {
  try {
    return await attempt({});
  } catch (error) {
    if (!isRefusedElsewhere(transport, error, 409)) throw error;
    return attempt({ cascade: true });
  }
}

/** Some platforms refuse an operator the state; then it is that of the workspace. */
export async function stateForOperator(
  transport: Transport,
  workspaceId: string,
  { signal }: CallOptions,
): Promise<WorkspaceStateReport> {
  try {
    return await getWorkspaceState(transport, workspaceId, { signal });
  } catch (error) {
    if (!isRefusedElsewhere(transport, error, 401)) throw error;
    const status = await statusOf(transport, workspaceId, { signal });
    const [paused, deleted] = [status === 'paused', status === 'removed'];
    return { workspaceId, status, paused, deleted, shouldStop: paused || deleted };
  }
}

async function statusOf(transport: Transport, workspaceId: string, options: CallOptions): Promise<string> {
  try {
    return (await getWorkspace(transport, workspaceId, options)).status;
  } catch (error) {
    if (WorkspaceRemovedError.isInstance(error)) return 'removed';
    throw error;
  }
}

/** Without a credential and without retries: a probe reports the current state. */
export async function probe(
  transport: Transport,
  route: typeof routes.health | typeof routes.ready,
  { signal }: CallOptions,
): Promise<void> {
  try {
    await send(transport, route, { bearer: null, isRepeatable: false, signal });
  } catch (error) {
    // An older platform has one probe.
    const isUnknown = ApiError.isInstance(error) && error.code === 'routing_problem';
    if (!isUnknown || route.path === routes.health.path) throw error;
    await probe(transport, routes.health, { signal });
  }
}
