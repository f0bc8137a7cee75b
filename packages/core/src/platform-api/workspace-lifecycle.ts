import {
  CreateWorkspaceAnswer,
  type CreateWorkspaceRequest,
  DeleteWorkspaceAnswer,
  PatchWorkspaceAnswer,
  type PatchWorkspaceRequest,
  PauseAnswer,
  ResumeAnswer,
} from '@molecule-ai/protocol';
import { platformPath, queryOf } from '../transport/platform-path.ts';
import type { CallOptions, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import { shapeError } from '../transport/shape-error.ts';
import type { Transport } from '../transport/transport.ts';
import { readWorkspaceInfo, type WorkspaceInfo } from './workspace-info.ts';

type Base = Pick<PlatformRequest, 'isRepeatable' | 'timeoutMs' | 'signal'>;

function base(transport: Transport, options: CallOptions, isRepeatable: boolean): Base {
  return { isRepeatable, timeoutMs: transport.settings.requestTimeoutMs, signal: options.signal };
}

/** `POST /workspaces` (wire contract 3.1). Never repeated: it is not idempotent. */
export async function postWorkspace(
  transport: Transport,
  body: CreateWorkspaceRequest,
  options: CallOptions = {},
): Promise<CreateWorkspaceAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: '/workspaces',
    body,
    ...base(transport, options, false),
  };
  return readAnswer(CreateWorkspaceAnswer, await transport.send(request), request);
}

/** `GET /workspaces`: all but removed ones, oldest first; unreadable rows are left out (wire contract 3.2). */
export async function getWorkspaces(
  transport: Transport,
  options: CallOptions = {},
): Promise<WorkspaceInfo[]> {
  const request: PlatformRequest = { method: 'GET', path: '/workspaces', ...base(transport, options, true) };
  const { body, status } = await transport.send(request);
  if (!Array.isArray(body)) throw shapeError(request, status, 'a list was expected');
  return body.map(readWorkspaceInfo).filter((info) => info !== undefined);
}

/** `PATCH /workspaces/:id` (wire contract 3.4). */
export async function patchWorkspace(
  transport: Transport,
  workspaceId: string,
  body: PatchWorkspaceRequest,
  options: CallOptions = {},
): Promise<PatchWorkspaceAnswer> {
  const path = platformPath`/workspaces/${workspaceId}`;
  const request: PlatformRequest = { method: 'PATCH', path, body, ...base(transport, options, false) };
  return readAnswer(PatchWorkspaceAnswer, await transport.send(request), request);
}

/** `DELETE /workspaces/:id` (wire contract 3.5). Final. */
export async function deleteWorkspace(
  transport: Transport,
  workspaceId: string,
  options: CallOptions & { confirm?: boolean | undefined; purge?: boolean | undefined } = {},
): Promise<DeleteWorkspaceAnswer> {
  const request: PlatformRequest = {
    method: 'DELETE',
    path: platformPath`/workspaces/${workspaceId}`,
    query: queryOf({ confirm: options.confirm || undefined, purge: options.purge || undefined }),
    ...base(transport, options, false),
  };
  return readAnswer(DeleteWorkspaceAnswer, await transport.send(request), request);
}

/** `POST /workspaces/:id/pause` (wire contract 3.6). */
export async function postPause(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<PauseAnswer> {
  const path = platformPath`/workspaces/${workspaceId}/pause`;
  const request: PlatformRequest = { method: 'POST', path, ...base(transport, options, false) };
  return readAnswer(PauseAnswer, await transport.send(request), request);
}

/** `POST /workspaces/:id/resume` (wire contract 3.6). */
export async function postResume(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<ResumeAnswer> {
  const path = platformPath`/workspaces/${workspaceId}/resume`;
  const request: PlatformRequest = { method: 'POST', path, ...base(transport, options, false) };
  return readAnswer(ResumeAnswer, await transport.send(request), request);
}
