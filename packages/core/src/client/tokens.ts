import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import type { ClientContext } from './client-context.ts';

const PREFIX_LENGTH = 8;
const MAX_PAGE = 200;

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

/** A token that was minted. */
export interface MintedToken {
  readonly workspaceId: string;
  /** Shown once. Hand it to the agent, do not log it. */
  readonly authToken: string;
}

/** The result of a rotation. Neither token is shown. */
export interface TokenRotation {
  /** The revoked token's id, or `null` when the old one could not be identified and is still valid. */
  readonly revokedTokenId: string | null;
}

/** Lists the live tokens of a workspace, newest first. */
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

/** The tokens of workspaces, for an operator. */
export class OperatorTokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Live tokens, newest first, without their values. */
  list(workspaceId: string, options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return listTokens(this.#transport, workspaceId, options);
  }

  /** @throws ApiError `rate_limited` with platform code `token_limit` at 50 live tokens. */
  mint(workspaceId: string, options: CallOptions = {}): Promise<MintedToken> {
    return mintToken(this.#transport, workspaceId, options);
  }

  async revoke(workspaceId: string, tokenId: string, options: CallOptions = {}): Promise<void> {
    await revokeToken(this.#transport, workspaceId, tokenId, options);
  }

  /** Locks the agent out until it gets a new token. */
  async revokeAll(workspaceId: string, { signal }: CallOptions = {}): Promise<void> {
    await call(this.#transport, routes.revokeAllTokens, { params: { id: workspaceId }, signal });
  }
}

/**
 * Replaces the token of the client: mint, store, verify, and only then revoke the old one. A failure in between
 * leaves a working token in use and in the store.
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
    logger.warn({}, 'The old token could not be told from others and was not revoked.');
    return { revokedTokenId: null };
  }
  await revokeToken(transport, settings.workspaceId, obsolete.id, options);
  return { revokedTokenId: obsolete.id };
}

/** Uses the new token once; should the platform refuse it, the old one is restored. */
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
