import { randomUUID } from 'node:crypto';
import { type MintTokenResponse, routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { PlatformDatabase, Queryable, UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow, WorkspaceTokenRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { TokenHolder } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount, parseWorkspaceId, wholeNumber } from '../http/mount.ts';
import { LatestMap } from '../latest-map.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { createTokenSecret } from './token-secret.ts';

/** Maximum number of live tokens of a workspace. */
const MAX_LIVE_TOKENS = 50;

/** How a token was issued. */
export type TokenOrigin = 'create' | 'register' | 'mint';

export interface IssuedToken {
  readonly id: string;
  /** Returned once; only its hash is stored. */
  readonly token: string;
}

export type ListedToken = Pick<WorkspaceTokenRow, 'id' | 'prefix' | 'created_at' | 'last_used_at'>;

/** A token, with what decides whether it is valid. */
type TokenWithWorkspace = Pick<WorkspaceTokenRow, 'id' | 'workspace_id' | 'revoked_at'> &
  Pick<WorkspaceRow, 'status' | 'removed_at'>;

/** Which live tokens of some workspaces are revoked; all of them unless restricted. */
interface Revocation {
  readonly workspaceIds: readonly string[];
  readonly tokenId?: string;
  /** Only the token that was issued with the workspace, if it has not been used. */
  readonly unusedFirstOnly?: boolean;
}

export type TokensServiceOptions = Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'workspaces'>;

/** The tokens of workspaces: issuing, finding and revoking them. */
export class TokensService {
  readonly #clock: Clock;
  readonly #database: PlatformDatabase;
  readonly #workspaces: WorkspaceDirectory;
  readonly #cache: TokenCache;
  readonly #usage: TokenUsage;
  #onRevoked: (workspaceIds: readonly string[]) => void = () => {};

  constructor(options: TokensServiceOptions) {
    this.#clock = options.clock;
    this.#database = options.database;
    this.#workspaces = options.workspaces;
    this.#cache = new TokenCache(options.clock);
    this.#usage = new TokenUsage(options);
  }

  /** Sets what runs after tokens of workspaces were revoked. */
  onRevoked(listener: (workspaceIds: readonly string[]) => void): void {
    this.#onRevoked = listener;
  }

  /** Finds the holder by the hex SHA-256 of a token and records that the token was used. */
  async findToken(hash: string): Promise<TokenHolder | undefined> {
    let holder = this.#cache.find(hash);
    if (holder === undefined) {
      const { generation } = this.#cache;
      holder = await this.#readHolder(hash);
      if (holder !== undefined) this.#cache.remember(hash, holder, generation);
    }
    if (holder?.kind === 'workspace') this.#usage.record(holder.tokenId);
    return holder;
  }

  /** Live tokens, newest first. */
  async list(workspaceId: string, page: { limit: number; offset: number }): Promise<ListedToken[]> {
    await this.#workspaces.require(workspaceId);
    const rows = await liveTokens(workspaceId, this.#database.query)
      .select(['id', 'prefix', 'created_at', 'last_used_at'])
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(page.limit)
      .offset(page.offset)
      .execute();
    return rows.map((row) => ({ ...row, last_used_at: this.#usage.lastUsed(row.id) ?? row.last_used_at }));
  }

  mint(workspaceId: string): Promise<IssuedToken> {
    return this.#database.transaction(async (unit) => {
      await this.#workspaces.lock(unit, workspaceId);
      return this.issue(unit, workspaceId, 'mint');
    });
  }

  /** Revokes one live token; 404 when none has that id. */
  revoke(workspaceId: string, tokenId: string): Promise<void> {
    return this.#database.transaction(async (unit) => {
      await this.#workspaces.require(workspaceId, unit.trx);
      const revoked = await this.revokeIn(unit, { workspaceIds: [workspaceId], tokenId });
      if (revoked === 0) {
        throw new HttpError(404, 'token_not_found', 'the workspace has no valid token with this id', {
          hint: 'GET /workspaces/:id/tokens lists the valid ones.',
        });
      }
    });
  }

  revokeAll(workspaceId: string): Promise<number> {
    return this.#database.transaction(async (unit) => {
      await this.#workspaces.require(workspaceId, unit.trx);
      return this.revokeIn(unit, { workspaceIds: [workspaceId] });
    });
  }

  /** Issues a token in the caller's transaction, which has locked the workspace; 429 when there are 50 live ones. */
  async issue(unit: UnitOfWork, workspaceId: string, origin: TokenOrigin): Promise<IssuedToken> {
    if ((await this.countLive(unit, workspaceId)) >= MAX_LIVE_TOKENS) throw tokenLimit();
    const { token, hash, prefix } = createTokenSecret();
    const id = randomUUID();
    const created_at = timestamp(this.#clock);
    await unit.trx
      .insertInto('workspace_tokens')
      .values({ id, workspace_id: workspaceId, token_hash: hash, prefix, origin, created_at })
      .execute();
    return { id, token };
  }

  async countLive({ trx }: UnitOfWork, workspaceId: string): Promise<number> {
    const row = await liveTokens(workspaceId, trx)
      .select((eb) => eb.fn.countAll().as('live'))
      .executeTakeFirstOrThrow();
    return Number(row.live);
  }

  /** Stores pending times of use. */
  flush(): Promise<void> {
    return this.#usage.flush();
  }

  /** Revokes live tokens in the caller's transaction; returns how many there were. */
  async revokeIn(unit: UnitOfWork, revocation: Revocation): Promise<number> {
    const { workspaceIds, tokenId, unusedFirstOnly = false } = revocation;
    unit.afterCommit(() => this.#cache.forgetWorkspaces(workspaceIds));
    const { numUpdatedRows } = await unit.trx
      .updateTable('workspace_tokens')
      .set({ revoked_at: timestamp(this.#clock) })
      .where('workspace_id', 'in', workspaceIds)
      .where('revoked_at', 'is', null)
      .$if(tokenId !== undefined, (update) => update.where('id', '=', tokenId ?? ''))
      .$if(unusedFirstOnly, (update) =>
        update.where('origin', '=', 'create').where('last_used_at', 'is', null),
      )
      .executeTakeFirst();
    if (numUpdatedRows > 0n) unit.afterCommit(() => this.#onRevoked(workspaceIds));
    return Number(numUpdatedRows);
  }

  /** The first use of a token claims the workspace at once, so that no register without a credential can claim it. */
  async #readHolder(hash: string): Promise<TokenHolder | undefined> {
    const row = await this.#findByHash(hash);
    const holder = holderOf(row);
    if (row === undefined || holder?.kind !== 'workspace' || row.claimed_at !== null) return holder;
    await this.#workspaces.claim(row.workspace_id, timestamp(this.#clock));
    return holderOf(await this.#findByHash(hash));
  }

  #findByHash(hash: string) {
    return this.#database.query
      .selectFrom('workspace_tokens as token')
      .innerJoin('workspaces as workspace', 'workspace.id', 'token.workspace_id')
      .select(['token.id', 'token.workspace_id', 'token.revoked_at'])
      .select(['workspace.status', 'workspace.removed_at', 'workspace.claimed_at'])
      .where('token.token_hash', '=', hash)
      .executeTakeFirst();
  }
}

function liveTokens(workspaceId: string, db: Queryable) {
  return db
    .selectFrom('workspace_tokens')
    .where('workspace_id', '=', workspaceId)
    .where('revoked_at', 'is', null);
}

function holderOf(row: TokenWithWorkspace | undefined): TokenHolder | undefined {
  if (row === undefined) return undefined;
  if (row.status === 'removed') {
    const wasRevokedBefore = row.revoked_at !== null && row.revoked_at < (row.removed_at ?? '');
    if (wasRevokedBefore) return undefined;
    return { kind: 'removed', workspaceId: row.workspace_id, removedAt: row.removed_at };
  }
  if (row.revoked_at !== null) return undefined;
  return { kind: 'workspace', workspaceId: row.workspace_id, tokenId: row.id };
}

function tokenLimit(): HttpError {
  return new HttpError(429, 'token_limit', `maximum ${MAX_LIVE_TOKENS} active tokens per workspace`, {
    hint: 'Revoke a token that is no longer used.',
  });
}

const CACHED_MS = 30_000;
const MAX_CACHED = 10_000;

/** Caches the holders of tokens for 30 s, so that most requests need no query; a revoked token is removed at once. */
class TokenCache {
  readonly #clock: Clock;
  readonly #entries = new LatestMap<string, { holder: TokenHolder; expiresAt: number }>(MAX_CACHED);
  #generation = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Changes with each removal. A holder that was read before a removal must not be cached after it. */
  get generation(): number {
    return this.#generation;
  }

  find(hash: string): TokenHolder | undefined {
    const entry = this.#entries.get(hash);
    return entry === undefined || entry.expiresAt <= this.#clock.monotonic() ? undefined : entry.holder;
  }

  remember(hash: string, holder: TokenHolder, generation: number): void {
    if (generation !== this.#generation) return;
    this.#entries.set(hash, { holder, expiresAt: this.#clock.monotonic() + CACHED_MS });
  }

  forgetWorkspaces(workspaceIds: readonly string[]): void {
    this.#generation += 1;
    const gone = new Set(workspaceIds);
    for (const [hash, { holder }] of this.#entries) {
      if (gone.has(holder.workspaceId)) this.#entries.delete(hash);
    }
  }
}

const WRITE_AFTER_MS = 60_000;

/** Collects when tokens were last used and stores it once a minute, all in one transaction. */
class TokenUsage {
  readonly #options: Pick<PlatformContext, 'clock' | 'database' | 'logger'>;
  /** By token id, in Unix milliseconds. */
  #pending = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'logger'>) {
    this.#options = options;
  }

  record(tokenId: string): void {
    const { clock } = this.#options;
    this.#pending.set(tokenId, clock.now());
    this.#cancelTimer ??= clock.schedule(WRITE_AFTER_MS, () => void this.flush());
  }

  /** When the token was last used, if that is not stored yet. */
  lastUsed(tokenId: string): string | undefined {
    const usedAt = this.#pending.get(tokenId);
    return usedAt === undefined ? undefined : new Date(usedAt).toISOString();
  }

  /** Stores what is pending. Never rejects: a lost time of use does no harm. */
  async flush(): Promise<void> {
    const { database, logger } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const used = this.#pending;
    this.#pending = new Map();
    if (used.size === 0) return;
    try {
      await database.transaction(async ({ trx }) => {
        for (const [tokenId, usedAt] of used) {
          const last_used_at = new Date(usedAt).toISOString();
          await trx.updateTable('workspace_tokens').set({ last_used_at }).where('id', '=', tokenId).execute();
        }
      });
    } catch (error) {
      logger.warn({ reason: String(error) }, 'Failed to store when tokens were last used');
    }
  }
}

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

/** Tokens of a workspace, for an operator or the workspace itself. */
export function mountTokensRoutes(app: FastifyInstance, tokens: TokensService): void {
  const mint = async (workspaceId: string): Promise<MintTokenResponse> => {
    const { id, token } = await tokens.mint(workspaceId);
    const message = 'Store this token now; it is not shown again.';
    return { auth_token: token, workspace_id: workspaceId, id, message };
  };

  mount(app, routes.listTokens, async ({ params, query }) => {
    const limit = wholeNumber(query.limit, { fallback: DEFAULT_PAGE, min: 1, max: MAX_PAGE });
    const offset = wholeNumber(query.offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER });
    const listed = await tokens.list(params.id, { limit, offset });
    return { tokens: listed, count: listed.length };
  });

  mount(app, routes.mintToken, { body: ignored }, ({ params }) => mint(params.id));
  mount(app, routes.mintTokenAsAdmin, { body: ignored }, ({ params }) => mint(params.id));

  mount(app, routes.revokeToken, async ({ params }) => {
    await tokens.revoke(params.id, parseWorkspaceId(params.tokenId, 'tokenId'));
    return { status: 'revoked' };
  });
  mount(app, routes.revokeAllTokens, async ({ params }) => ({
    status: 'revoked',
    revoked_count: await tokens.revokeAll(params.id),
  }));
}

/** The label of a token is not stored, so any body is accepted. */
const ignored = () => undefined;
