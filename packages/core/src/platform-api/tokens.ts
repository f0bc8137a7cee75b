import { MintTokenAnswer, RevokeTokenAnswer, TokenList } from '@molecule-ai/protocol';
import { platformPath, queryOf } from '../transport/platform-path.ts';
import type { CallOptions, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import type { Transport } from '../transport/transport.ts';

/** A live token of a workspace, without its value. */
export interface TokenInfo {
  readonly id: string;
  /** Its first 8 characters. */
  readonly prefix: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

/** Which tokens to list. */
export interface ListTokensOptions extends CallOptions {
  /** 1–200. @default 50 */
  limit?: number | undefined;
  offset?: number | undefined;
}

/** `GET /workspaces/:id/tokens`: live ones, newest first (wire contract 3.8). */
export async function getTokens(
  transport: Transport,
  workspaceId: string,
  options: ListTokensOptions = {},
): Promise<TokenInfo[]> {
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/workspaces/${workspaceId}/tokens`,
    query: queryOf({ limit: options.limit, offset: options.offset }),
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  const { tokens } = readAnswer(TokenList, await transport.send(request), request);
  return tokens.map(({ id, prefix, created_at, last_used_at }) => ({
    id,
    prefix,
    createdAt: created_at,
    lastUsedAt: last_used_at,
  }));
}

/** `POST /workspaces/:id/tokens`: never repeated, each one mints another token. */
export async function postToken(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<MintTokenAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: platformPath`/workspaces/${workspaceId}/tokens`,
    isRepeatable: false,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(MintTokenAnswer, await transport.send(request), request);
}

/** `DELETE /workspaces/:id/tokens/:tokenId`. */
export async function deleteToken(
  transport: Transport,
  workspaceId: string,
  tokenId: string,
  options: CallOptions = {},
): Promise<RevokeTokenAnswer> {
  return revoke(transport, platformPath`/workspaces/${workspaceId}/tokens/${tokenId}`, options);
}

/** `DELETE /workspaces/:id/tokens`: all of them, the one in use too (seed 001). */
export async function deleteAllTokens(
  transport: Transport,
  workspaceId: string,
  options: CallOptions = {},
): Promise<RevokeTokenAnswer> {
  return revoke(transport, platformPath`/workspaces/${workspaceId}/tokens`, options);
}

async function revoke(transport: Transport, path: string, options: CallOptions): Promise<RevokeTokenAnswer> {
  const request: PlatformRequest = {
    method: 'DELETE',
    path,
    isRepeatable: false,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(RevokeTokenAnswer, await transport.send(request), request);
}
