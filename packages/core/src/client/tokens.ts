import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PlatformApi } from '../platform-api/platform-api.ts';
import { checkArguments, given, type OptionsOf, optionsSchema } from '../settings/options.ts';
import { type CallOptions, CallShape } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
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

export class ListTokensShape extends CallShape {
  /** 1–200. @default 50 */
  limit = given<number>();
  offset = given<number>();
}

export interface ListTokensOptions extends OptionsOf<ListTokensShape> {}

export const LIST_TOKENS = optionsSchema(new ListTokensShape());
const CALL = optionsSchema(new CallShape());

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

/** Manages the tokens of workspaces. */
export interface OperatorTokens extends Pick<TokenCalls, keyof TokenCalls> {}

export class TokenCalls {
  static {
    checkArguments(TokenCalls.prototype, {
      list: { 1: LIST_TOKENS },
      mint: { 1: CALL },
      revoke: { 2: CALL },
      revokeAll: { 1: CALL },
    });
  }

  readonly #api: PlatformApi;

  constructor(api: PlatformApi) {
    this.#api = api;
  }

  /** The valid tokens of a workspace, newest first, without their values. */
  async list(workspaceId: string, { limit, offset, signal }: ListTokensOptions = {}): Promise<TokenInfo[]> {
    const input = { params: { id: workspaceId }, query: { limit, offset }, signal };
    const { tokens } = await this.#api.call(routes.listTokens, input);
    return tokens.map(({ id, prefix, created_at, last_used_at }) => ({
      id,
      prefix,
      createdAt: created_at,
      lastUsedAt: last_used_at,
    }));
  }

  /** @throws ApiError `rate_limited` with platform code `token_limit` when there are 50 valid tokens. */
  async mint(workspaceId: string, { signal }: CallOptions = {}): Promise<MintedToken> {
    const input = { params: { id: workspaceId }, body: undefined, signal };
    const { workspace_id, auth_token } = await this.#api.call(routes.mintToken, input);
    return { workspaceId: workspace_id, authToken: auth_token };
  }

  async revoke(workspaceId: string, tokenId: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#api.call(routes.revokeToken, { params: { id: workspaceId, tokenId }, signal });
  }

  /** Revokes all tokens: the agent cannot connect until it has a new one. */
  async revokeAll(workspaceId: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#api.call(routes.revokeAllTokens, { params: { id: workspaceId }, signal });
  }
}

/**
 * Replaces the client's token: create, store, verify, and only then revoke the old one and check that it is refused. After
 * a failure, the client and the store still have a working token.
 * @throws MoleculeError `rotation_incomplete` when the new token is in use, but the old one may still be accepted.
 */
export async function rotateToken(context: ClientContext, options: CallOptions): Promise<TokenRotation> {
  const { tokens, api, logger } = context;
  const { workspaceId } = context.settings;
  const all = new TokenCalls(api);
  await tokens.load();
  const old = tokens.current();
  if (old === undefined) {
    throw new MoleculeError('There is no token to rotate: call register() first.', { code: 'unauthorized' });
  }
  const before = await all.list(workspaceId, { ...options, limit: MAX_PAGE });
  const minted = (await all.mint(workspaceId, options)).authToken.trim();
  if (minted === old) throw rotationIncomplete('The platform issued the token that is in use.');
  try {
    await tokens.save(checkIssued(routes.mintToken, minted));
    const input = { params: { id: workspaceId }, goneWorkspaceId: workspaceId, ...options };
    await api.call(routes.getWorkspaceState, input);
  } catch (error) {
    // The old token still works.
    await tokens.save(old).catch((failure: unknown) => {
      logger.error({ error: failure }, 'The old token is in use again, but could not be stored.');
    });
    if (options.signal?.aborted !== true) await revokeUnused(context, minted, options);
    throw error;
  }
  const obsolete = findByPrefix(before, old);
  if (obsolete === undefined) {
    logger.warn({}, 'The old token could not be identified and was not revoked.');
    return { revokedTokenId: null };
  }
  await all.revoke(workspaceId, obsolete.id, options);
  await endOldToken(context, old, minted, options);
  return { revokedTokenId: obsolete.id };
}

/**
 * On some platforms a minted token does not count for registering: with the old one revoked, anybody can register. Then
 * registering issues a token that counts, and the minted one is revoked.
 */
async function endOldToken(
  context: ClientContext,
  old: string,
  minted: string,
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
  { api, settings: { workspaceId }, tokens, logger }: ClientContext,
  token: string,
  options: CallOptions,
): Promise<void> {
  // The list has prefixes only, and the token in use must stay.
  if (prefixOf(tokens.current() ?? '') === prefixOf(token)) return;
  try {
    const all = new TokenCalls(api);
    const unused = findByPrefix(await all.list(workspaceId, { ...options, limit: MAX_PAGE }), token);
    if (unused !== undefined) await all.revoke(workspaceId, unused.id, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    logger.warn({ error }, 'A token that is not used could not be revoked.');
  }
}

async function isRefused(
  { api, settings }: ClientContext,
  bearer: string,
  { signal }: CallOptions,
): Promise<boolean> {
  try {
    await api.call(routes.heartbeat, { body: { workspace_id: settings.workspaceId }, bearer, signal });
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

function findByPrefix(tokens: readonly TokenInfo[], token: string): TokenInfo | undefined {
  const candidates = tokens.filter(({ prefix }) => prefix === prefixOf(token));
  return candidates.length === 1 ? candidates[0] : undefined;
}

function prefixOf(token: string): string {
  return token.slice(0, PREFIX_LENGTH);
}
