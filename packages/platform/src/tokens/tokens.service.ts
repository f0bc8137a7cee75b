import { randomUUID } from 'node:crypto';
import type { PlatformContext } from '../context.ts';
import type { PlatformDatabase, UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { TokenHolder } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import type { PlatformLogger } from '../logging/logger.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { createTokenSecret } from './token-secret.ts';
import { type TokenSelection, TokensStore, type TokenWithWorkspace } from './tokens.store.ts';

/** Maximum number of live tokens of a workspace. */
const MAX_LIVE_TOKENS = 50;

/** How a token was issued. */
export type TokenOrigin = 'create' | 'register' | 'mint';

export interface IssuedToken {
  readonly id: string;
  /** Returned once; only its hash is stored. */
  readonly token: string;
}

export interface ListedToken {
  readonly id: string;
  readonly prefix: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

export type TokensServiceOptions = Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'workspaces'>;

/** The tokens of workspaces: issuing, finding and revoking them. */
export class TokensService {
  readonly #clock: Clock;
  readonly #database: PlatformDatabase;
  readonly #workspaces: WorkspaceDirectory;
  readonly #store: TokensStore;
  readonly #cache: TokenCache;
  readonly #usage: TokenUsage;
  #onRevoked: (workspaceIds: readonly string[]) => void = () => {};

  constructor({ clock, database, logger, workspaces }: TokensServiceOptions) {
    const store = new TokensStore({ database });
    this.#clock = clock;
    this.#database = database;
    this.#workspaces = workspaces;
    this.#store = store;
    this.#cache = new TokenCache(clock);
    this.#usage = new TokenUsage({
      clock,
      logger,
      write: (used) =>
        database.transaction(async ({ trx }) => {
          for (const [tokenId, usedAt] of used)
            await store.writeLastUsed(tokenId, new Date(usedAt).toISOString(), trx);
        }),
    });
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

  async list(workspaceId: string, page: { limit: number; offset: number }): Promise<ListedToken[]> {
    await this.#workspaces.require(workspaceId);
    const rows = await this.#store.listLive(workspaceId, page);
    return rows.map(({ id, prefix, created_at, last_used_at }) => ({
      id,
      prefix,
      created_at,
      last_used_at: this.#usage.lastUsed(id) ?? last_used_at,
    }));
  }

  mint(workspaceId: string): Promise<IssuedToken> {
    return this.#database.transaction(async (unit) => {
      await this.#workspaces.require(workspaceId, unit.trx);
      return this.issue(unit, workspaceId, 'mint');
    });
  }

  /** Revokes one live token; 404 when none has that id. */
  revoke(workspaceId: string, tokenId: string): Promise<void> {
    return this.#database.transaction(async (unit) => {
      await this.#workspaces.require(workspaceId, unit.trx);
      const revoked = await this.#revoke(unit, { workspaceIds: [workspaceId], tokenId });
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
      return this.revokeAllOf(unit, [workspaceId]);
    });
  }

  /** Issues a token in the caller's transaction; 429 when there are 50 live ones. */
  async issue({ trx }: UnitOfWork, workspaceId: string, origin: TokenOrigin): Promise<IssuedToken> {
    if ((await this.#store.countLive(workspaceId, trx)) >= MAX_LIVE_TOKENS) throw tokenLimit();
    const { token, hash, prefix } = createTokenSecret();
    const id = randomUUID();
    const row = { id, workspace_id: workspaceId, token_hash: hash, prefix, origin };
    const times = { created_at: timestamp(this.#clock), last_used_at: null, revoked_at: null };
    await this.#store.insert({ ...row, ...times }, trx);
    return { id, token };
  }

  countLive({ trx }: UnitOfWork, workspaceId: string): Promise<number> {
    return this.#store.countLive(workspaceId, trx);
  }

  /** Revokes every live token of these workspaces; returns how many there were. */
  revokeAllOf(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<number> {
    return this.#revoke(unit, { workspaceIds });
  }

  /** Revokes the token that was issued with the workspace, if it has not been used. */
  revokeUnusedFirst(unit: UnitOfWork, workspaceId: string): Promise<number> {
    return this.#revoke(unit, { workspaceIds: [workspaceId], unusedFirstOnly: true });
  }

  /** Stores pending times of use. */
  flush(): Promise<void> {
    return this.#usage.flush();
  }

  async #revoke(unit: UnitOfWork, selection: TokenSelection): Promise<number> {
    const { workspaceIds } = selection;
    unit.afterCommit(() => this.#cache.forgetWorkspaces(workspaceIds));
    const count = await this.#store.revoke(selection, timestamp(this.#clock), unit.trx);
    if (count > 0) unit.afterCommit(() => this.#onRevoked(workspaceIds));
    return count;
  }

  /** The first use of a token claims the workspace at once, so that no register without a credential can claim it. */
  async #readHolder(hash: string): Promise<TokenHolder | undefined> {
    const row = await this.#store.findByHash(hash);
    const holder = holderOf(row);
    if (row === undefined || holder?.kind !== 'workspace' || row.claimed_at !== null) return holder;
    await this.#workspaces.claim(row.workspace_id, timestamp(this.#clock));
    return holderOf(await this.#store.findByHash(hash));
  }
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

/** Caches the holders of tokens for 30 s after each use, so that a request needs no query; a revoked token is removed at once. */
class TokenCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { holder: TokenHolder; expiresAt: number }>();
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
    if (entry === undefined) return undefined;
    const now = this.#clock.monotonic();
    this.#entries.delete(hash);
    if (entry.expiresAt <= now) return undefined;
    this.#entries.set(hash, entry);
    entry.expiresAt = now + CACHED_MS;
    return entry.holder;
  }

  remember(hash: string, holder: TokenHolder, generation: number): void {
    if (generation !== this.#generation) return;
    this.#entries.delete(hash);
    this.#entries.set(hash, { holder, expiresAt: this.#clock.monotonic() + CACHED_MS });
    if (this.#entries.size <= MAX_CACHED) return;
    const oldest = this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
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
  readonly #clock: Clock;
  readonly #logger: PlatformLogger;
  readonly #write: (used: ReadonlyMap<string, number>) => Promise<void>;
  /** By token id, in Unix milliseconds. */
  #pending = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: PlatformLogger;
    /** Stores the time of last use by token id. */
    readonly write: (used: ReadonlyMap<string, number>) => Promise<void>;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#write = options.write;
  }

  record(tokenId: string): void {
    this.#pending.set(tokenId, this.#clock.now());
    this.#cancelTimer ??= this.#clock.schedule(WRITE_AFTER_MS, () => void this.flush());
  }

  /** When the token was last used, if that is not stored yet. */
  lastUsed(tokenId: string): string | undefined {
    const usedAt = this.#pending.get(tokenId);
    return usedAt === undefined ? undefined : new Date(usedAt).toISOString();
  }

  /** Stores what is pending. Never rejects: a lost time of use does no harm. */
  async flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const used = this.#pending;
    this.#pending = new Map();
    if (used.size === 0) return;
    try {
      await this.#write(used);
    } catch (error) {
      this.#logger.warn({ reason: String(error) }, 'Failed to store when tokens were last used');
    }
  }
}
