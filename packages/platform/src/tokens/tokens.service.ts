import { randomUUID } from 'node:crypto';
import type { PlatformContext } from '../context.ts';
import type { PlatformDatabase, UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import type { TokenHolder } from '../http/principal.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { TokenCache, TokenUsage } from './token-cache.ts';
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

export interface TokensServiceOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger'> {
  readonly workspaces: WorkspaceDirectory;
}

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
          for (const [tokenId, usedAt] of used) await store.writeLastUsed(tokenId, usedAt, trx);
        }),
    });
  }

  /** Sets what runs after tokens of workspaces were revoked. */
  onRevoked(listener: (workspaceIds: readonly string[]) => void): void {
    this.#onRevoked = listener;
  }

  /** Finds the holder by the hex SHA-256 of a token and records that the token was used. */
  async findToken(hash: string): Promise<TokenHolder | undefined> {
    const generation = this.#cache.generation;
    const holder = this.#cache.get(hash) ?? (await this.#readHolder(hash));
    if (holder === undefined) return undefined;
    this.#cache.remember(hash, holder, generation);
    if (holder.kind === 'workspace') this.#usage.record(holder.tokenId);
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
      await this.#workspaces.lock(unit, workspaceId);
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
          extras: { hint: 'GET /workspaces/:id/tokens lists the valid ones.' },
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

  /** Issues a token in the caller's transaction, which has locked the workspace; 429 when there are 50 live ones. */
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
    extras: { hint: 'Revoke a token that is no longer used.' },
  });
}
