import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import type { ClientContext } from './client-context.ts';

const PREFIX_LENGTH = 8;
const MAX_PAGE = 200;

/** A valid token of a workspace, without its value. */
export interface TokenInfo {
  readonly id: string;
  /** The first 8 characters. */
  readonly prefix: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export interface ListTokensOptions extends CallOptions {
  /** 1–200. @default 50 */
  limit?: number | undefined;
  offset?: number | undefined;
}

export interface MintedToken {
  readonly workspaceId: string;
  /** Returned once. Pass it to the agent; do not log it. */
  readonly authToken: string;
}

/** The result of a rotation, without the tokens themselves. */
export interface TokenRotation {
  /** The id of the revoked token; `null` when the old token could not be identified and is still valid. */
  readonly revokedTokenId: string | null;
}

export async function listTokens(
  transport: Transport,
  workspaceId: string,
  { limit, offset, signal }: ListTokensOptions,
): Promise<TokenInfo[]> {
  const params = { id: workspaceId };
  const { tokens } = await call(transport, routes.listTokens, { params, query: { limit, offset }, signal });
  return tokens.map(({ id, prefix, created_at, last_used_at }) => ({
    id,
    prefix,
    createdAt: created_at,
    lastUsedAt: last_used_at,
  }));
}

/** Manages the tokens of workspaces. */
export interface OperatorTokens extends Pick<TokenCalls, keyof TokenCalls> {}

export function operatorTokens(transport: Transport): OperatorTokens {
  return new TokenCalls(transport);
}

class TokenCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The valid tokens of a workspace, newest first, without their values. */
  list(workspaceId: string, options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return listTokens(this.#transport, workspaceId, options);
  }

  /** @throws ApiError `rate_limited` with platform code `token_limit` when there are 50 valid tokens. */
  mint(workspaceId: string, options: CallOptions = {}): Promise<MintedToken> {
    return mintToken(this.#transport, workspaceId, options);
  }

  async revoke(workspaceId: string, tokenId: string, options: CallOptions = {}): Promise<void> {
    await revokeToken(this.#transport, workspaceId, tokenId, options);
  }

  /** Revokes all tokens: the agent cannot connect until it has a new one. */
  async revokeAll(workspaceId: string, { signal }: CallOptions = {}): Promise<void> {
    await call(this.#transport, routes.revokeAllTokens, { params: { id: workspaceId }, signal });
  }
}

/**
 * Replaces the client's token: create, store, verify, and only then revoke the old one. After a failure, the client and
 * the store still have a working token.
 */
export async function rotateToken(context: ClientContext, options: CallOptions): Promise<TokenRotation> {
  const { tokens, transport, settings, logger } = context;
  await tokens.load();
  const old = tokens.current();
  if (old === undefined) {
    throw new MoleculeError('There is no token to rotate: call register() first.', { code: 'unauthorized' });
  }
  const before = await listTokens(transport, settings.workspaceId, { ...options, limit: MAX_PAGE });
  const minted = await mintToken(transport, settings.workspaceId, options);
  await tokens.save(minted.authToken);
  await verify(context, old, options);
  const obsolete = findByPrefix(before, old);
  if (obsolete === undefined) {
    logger.warn({}, 'The old token could not be identified and was not revoked.');
    return { revokedTokenId: null };
  }
  await revokeToken(transport, settings.workspaceId, obsolete.id, options);
  return { revokedTokenId: obsolete.id };
}

/** Sends one request with the new token; restores the old one if the platform refuses it. */
async function verify({ transport, settings, tokens }: ClientContext, old: string, { signal }: CallOptions) {
  const { workspaceId } = settings;
  try {
    const params = { id: workspaceId };
    await call(transport, routes.getWorkspaceState, { params, goneWorkspaceId: workspaceId, signal });
  } catch (error) {
    if (ApiError.isInstance(error) && error.code === 'unauthorized') await tokens.save(old);
    throw error;
  }
}

async function mintToken(
  transport: Transport,
  workspaceId: string,
  { signal }: CallOptions,
): Promise<MintedToken> {
  const input = { params: { id: workspaceId }, body: undefined, signal };
  const { workspace_id, auth_token } = await call(transport, routes.mintToken, input);
  return { workspaceId: workspace_id, authToken: auth_token };
}

async function revokeToken(
  transport: Transport,
  workspaceId: string,
  tokenId: string,
  { signal }: CallOptions,
): Promise<void> {
  await call(transport, routes.revokeToken, { params: { id: workspaceId, tokenId }, signal });
}

function findByPrefix(tokens: readonly TokenInfo[], token: string): TokenInfo | undefined {
  const candidates = tokens.filter(({ prefix }) => prefix === token.slice(0, PREFIX_LENGTH));
  return candidates.length === 1 ? candidates[0] : undefined;
}
