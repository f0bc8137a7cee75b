import { WorkspaceState } from '@molecule-ai/protocol';
import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import { platformPath, queryOf } from '../transport/platform-path.ts';
import type { CallOptions, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import { shapeError } from '../transport/shape-error.ts';
import type { Transport } from '../transport/transport.ts';
import { readWorkspaceInfo, type WorkspaceInfo } from './workspace-info.ts';

/** Options of {@link getWorkspaceInfo}. */
export interface GetWorkspaceOptions extends CallOptions {
  /** Gives a removed workspace instead of throwing. @default false */
  includeRemoved?: boolean | undefined;
}

/** `GET /workspaces/:id`; a removed one, 410 or 200 with that status, throws (wire contract 3.3; 8, row 11). */
export async function getWorkspaceInfo(
  transport: Transport,
  workspaceId: string,
  options: GetWorkspaceOptions = {},
): Promise<WorkspaceInfo> {
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/workspaces/${workspaceId}`,
    query: options.includeRemoved === true ? queryOf({ include_removed: 'true' }) : '',
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
    goneWorkspaceId: workspaceId,
  };
  const { body, status } = await transport.send(request);
  const info = readWorkspaceInfo(body);
  if (info === undefined) throw shapeError(request, status, 'a workspace with an id was expected');
  if (info.status === 'removed' && options.includeRemoved !== true) {
    throw new WorkspaceRemovedError(`The workspace ${info.id} was removed.`, {
      status,
      method: request.method,
      path: request.path,
      workspaceId: info.id,
    });
  }
  return info;
}

/** `GET /workspaces/:id/state`; a removed workspace throws `WorkspaceRemovedError` (wire contract 3.7). */
export async function getWorkspaceState(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<WorkspaceState> {
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/workspaces/${workspaceId}/state`,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
    goneWorkspaceId: workspaceId,
  };
  return readAnswer(WorkspaceState, await transport.send(request), request);
}
