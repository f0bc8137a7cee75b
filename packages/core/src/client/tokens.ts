import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { call } from '../platform-api/call.ts';
import { checkCallsOf, knownOptions } from '../settings/known-options.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import type { ClientContext } from './client-context.ts';
import { CALL } from './known-options.ts';
import { checkIssued, registerAgent } from './registration.ts';

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

export const LIST_TOKENS = knownOptions<ListTokensOptions>({ signal: true, limit: true, offset: true });

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
  static {
    checkCallsOf<TokenCalls>(TokenCalls.prototype, {
      list: [1, LIST_TOKENS],
      mint: [1, CALL],
      revoke: [2, CALL],
      revokeAll: [1, CALL],
    });
  }

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
 * Replaces the client's token: create, store, verify, and only then revoke the old one and check that it is refused. After
 * a failure, the client and the store still have a working token.
 * @throws MoleculeError `rotation_incomplete` when the new token is in use, but the old one may still be accepted.
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
  const authToken = minted.authToken.trim();
  if (authToken === old) throw rotationIncomplete('The platform issued the token that is in use.');
  try {
    await tokens.save(checkIssued(routes.mintToken, authToken));
    await verify(context, options);
  } catch (error) {
    await restore(context, { old, minted: authToken }, options);
    throw error;
  }
  const obsolete = findByPrefix(before, old);
  if (obsolete === undefined) {
    logger.warn({}, 'The old token could not be identified and was not revoked.');
    return { revokedTokenId: null };
  }
  await revokeToken(transport, settings.workspaceId, obsolete.id, options);
  await endOldToken(context, { old, minted: authToken }, options);
  return { revokedTokenId: obsolete.id };
}

/** Sends one request with the new token. */
async function verify({ transport, settings }: ClientContext, { signal }: CallOptions): Promise<void> {
  const { workspaceId } = settings;
  const params = { id: workspaceId };
  await call(transport, routes.getWorkspaceState, { params, goneWorkspaceId: workspaceId, signal });
}

/** Uses and stores the old token again, which still works; the new one is revoked. */
async function restore(
  context: ClientContext,
  { old, minted }: { readonly old: string; readonly minted: string },
  options: CallOptions,
): Promise<void> {
  const { tokens, logger } = context;
  await tokens.save(old).catch((error: unknown) => {
    logger.error({ error }, 'The old token is in use again, but could not be stored.');
  });
  if (options.signal?.aborted !== true) await revokeUnused(context, minted, options);
}

/**
 * On some platforms a minted token does not count for registering: with the old one revoked, anybody can register. Then
 * registering issues a token that counts, and the minted one is revoked.
 */
async function endOldToken(
  context: ClientContext,
  { old, minted }: { readonly old: string; readonly minted: string },
  options: CallOptions,
): Promise<void> {
  try {
    if (await isRefused(context, old, options)) return;
    const { tokenIssued } = await registerAgent(context, options);
    if (tokenIssued) await revokeUnused(context, minted, options);
    if (await isRefused(context, old, options)) return;
  } catch (error) {
    options.signal?.throwIfAborted();
    const what = 'The new token is in use. It is not known whether the old token is refused.';
    throw rotationIncomplete(what, error);
  }
  throw rotationIncomplete('The new token is in use. The platform still accepts the old token.');
}

/** A platform keeps a limited number of tokens. */
async function revokeUnused(
  { transport, settings: { workspaceId }, tokens, logger }: ClientContext,
  token: string,
  options: CallOptions,
): Promise<void> {
  // The list has prefixes only, and the token in use must stay.
  if (prefixOf(tokens.current() ?? '') === prefixOf(token)) return;
  try {
    const unused = findByPrefix(
      await listTokens(transport, workspaceId, { ...options, limit: MAX_PAGE }),
      token,
    );
    if (unused !== undefined) await revokeToken(transport, workspaceId, unused.id, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    logger.warn({ error }, 'A token that is not used could not be revoked.');
  }
}

async function isRefused(
  { transport, settings }: ClientContext,
  bearer: string,
  { signal }: CallOptions,
): Promise<boolean> {
  try {
    await call(transport, routes.heartbeat, { body: { workspace_id: settings.workspaceId }, bearer, signal });
    return false;
  } catch (error) {
    if (ApiError.isInstance(error) && error.code === 'unauthorized') return true;
    throw error;
  }
}

function rotationIncomplete(what: string, cause?: unknown): MoleculeError {
  return new MoleculeError(what, {
    code: 'rotation_incomplete',
    hint: 'Revoke all tokens of the workspace as an operator, and register again.',
    cause,
  });
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
  const candidates = tokens.filter(({ prefix }) => prefix === prefixOf(token));
  return candidates.length === 1 ? candidates[0] : undefined;
}

function prefixOf(token: string): string {
  return token.slice(0, PREFIX_LENGTH);
}
