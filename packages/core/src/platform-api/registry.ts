import {
  DiscoverAnswer,
  HeartbeatAnswer,
  type HeartbeatRequest,
  RegisterAnswer,
  type RegisterRequest,
  UpdateCardAnswer,
  type UpdateCardRequest,
} from '@molecule-ai/protocol';
import { platformPath } from '../transport/platform-path.ts';
import type { CallOptions, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import type { Transport } from '../transport/transport.ts';

/** `POST /registry/register` with the token in use, or with `bearer` instead (wire contract 3.10). */
export async function postRegister(
  transport: Transport,
  body: RegisterRequest,
  options: CallOptions & { bearer?: string | undefined } = {},
): Promise<RegisterAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: '/registry/register',
    body,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
    bearer: options.bearer,
  };
  return readAnswer(RegisterAnswer, await transport.send(request), request);
}

/** `POST /registry/heartbeat` (wire contract 3.11). */
export async function postHeartbeat(
  transport: Transport,
  body: HeartbeatRequest,
  options: CallOptions = {},
): Promise<HeartbeatAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: '/registry/heartbeat',
    body,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(HeartbeatAnswer, await transport.send(request), request);
}

/** `POST /registry/update-card` (wire contract 3.12). */
export async function postUpdateCard(
  transport: Transport,
  body: UpdateCardRequest,
  options: CallOptions = {},
): Promise<UpdateCardAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: '/registry/update-card',
    body,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(UpdateCardAnswer, await transport.send(request), request);
}

/** `GET /registry/discover/:id` (wire contract 3.13). */
export async function getDiscover(
  transport: Transport,
  peerId: string,
  options: CallOptions = {},
): Promise<DiscoverAnswer> {
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/registry/discover/${peerId}`,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(DiscoverAnswer, await transport.send(request), request);
}

/** `GET /registry/:id/peers`: the rows as they came (wire contract 3.14). */
export async function getPeerRows(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<readonly unknown[]> {
  const { body } = await transport.send({
    method: 'GET',
    path: platformPath`/registry/${workspaceId}/peers`,
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  });
  return Array.isArray(body) ? body : [];
}
