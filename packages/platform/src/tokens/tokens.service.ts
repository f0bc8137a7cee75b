import { randomUUID } from 'node:crypto';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import { ApiError } from '../http/api-error.ts';
import type { CredentialSource, TokenHolder } from '../http/credential-source.ts';
import { timestamp } from '../time/clock.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import { TokenCache } from './token-cache.ts';
import { createTokenSecret } from './token-secret.ts';
import { TokenUsage } from './token-usage.ts';
import * as store from './tokens.store.ts';

/** Live tokens a workspace may have (wire contract 1.6). */
const MAX_LIVE_TOKENS = 50;

/** How a token came to be. */
export type TokenOrigin = 'create' | 'register' | 'mint';

export interface IssuedToken {
  readonly id: string;
  /** Shown once; only its hash is kept. */
  readonly token: string;
}

export interface ListedToken {
  readonly id: string;
  readonly prefix: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

/** The tokens of workspaces: issuing, finding and revoking them (decisions 3 and 4). */
export interface TokensService extends Pick<CredentialSource, 'findToken'> {
  /** Issues a token in the caller's transaction; 429 when there are 50 live ones. */
  issue(unit: UnitOfWork, workspaceId: string, origin: TokenOrigin): Promise<IssuedToken>;
  /** Claims the workspace for whoever holds a token of it; false when it was claimed before. */
  claim(unit: UnitOfWork, workspaceId: string): Promise<boolean>;
  countLive(unit: UnitOfWork, workspaceId: string): Promise<number>;
  /** Revokes every live token of these workspaces. */
  revokeAllOf(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<number>;
  /** Revokes the token that creation issued, as long as nobody has used it. */
  revokeUnusedFirst(unit: UnitOfWork, workspaceId: string): Promise<number>;
  list(workspaceId: string, page: { limit: number; offset: number }): Promise<ListedToken[]>;
  mint(workspaceId: string): Promise<IssuedToken>;
  revoke(workspaceId: string, tokenId: string): Promise<void>;
  revokeAll(workspaceId: string): Promise<number>;
  /** Writes pending times of use. */
  flush(): Promise<void>;
}

export function createTokensService(
  context: PlatformContext,
  { workspaces }: { workspaces: WorkspaceLookup },
): TokensService {
  const { database, db, clock } = context;
  const cache = new TokenCache(clock);
  const usage = new TokenUsage(context);

  const issue: TokensService['issue'] = async (unit, workspaceId, origin) => {
    if ((await store.countLiveTokens(unit.trx, workspaceId)) >= MAX_LIVE_TOKENS) throw tokenLimit();
    const secret = createTokenSecret();
    const id = randomUUID();
    const row = { id, workspace_id: workspaceId, token_hash: secret.hash, prefix: secret.prefix, origin };
    const times = { created_at: timestamp(clock), last_used_at: null, revoked_at: null };
    await store.insertToken(unit.trx, { ...row, ...times });
    return { id, token: secret.token };
  };

  const revoke = async (unit: UnitOfWork, which: Parameters<typeof store.revokeTokens>[1]) => {
    unit.afterCommit(() => cache.forgetWorkspaces(which.workspaceIds));
    return store.revokeTokens(unit.trx, which, timestamp(clock));
  };

  /** The first use claims the workspace at once, so that nobody can claim it in another way (decision 3). */
  const lookUp = async (hash: string): Promise<TokenHolder | undefined> => {
    const row = await store.readTokenByHash(db, hash);
    const holder = holderOf(row);
    if (row === undefined || holder?.kind !== 'workspace' || row.claimed_at !== null) return holder;
    await store.claimWorkspace(db, row.workspace_id, timestamp(clock));
    return holderOf(await store.readTokenByHash(db, hash));
  };

  const findToken: TokensService['findToken'] = async (hash) => {
    const generation = cache.generation;
    const holder = cache.get(hash) ?? (await lookUp(hash));
    if (holder === undefined) return undefined;
    cache.remember(hash, holder, generation);
    if (holder.kind === 'workspace') usage.note(holder.tokenId);
    return holder;
  };

  return {
    findToken,
    issue,
    claim: ({ trx }, workspaceId) => store.claimWorkspace(trx, workspaceId, timestamp(clock)),
    countLive: ({ trx }, workspaceId) => store.countLiveTokens(trx, workspaceId),
    revokeAllOf: (unit, workspaceIds) => revoke(unit, { workspaceIds }),
    revokeUnusedFirst: (unit, id) => revoke(unit, { workspaceIds: [id], unusedFirstOnly: true }),
    list: async (workspaceId, page) => {
      await workspaces.require(workspaceId);
      const rows = await store.readLiveTokens(db, workspaceId, page);
      return rows.map(({ id, prefix, created_at, last_used_at }) => ({
        id,
        prefix,
        created_at,
        last_used_at: usage.lastUsed(id) ?? last_used_at,
      }));
    },
    mint: (workspaceId) =>
      database.transaction(async (unit) => {
        await workspaces.require(workspaceId, unit.trx);
        return issue(unit, workspaceId, 'mint');
      }),
    revoke: (workspaceId, tokenId) =>
      database.transaction(async (unit) => {
        await workspaces.require(workspaceId, unit.trx);
        const revoked = await revoke(unit, { workspaceIds: [workspaceId], tokenId });
        if (revoked === 0) throw new ApiError(404, 'token_not_found', 'token not found or already revoked');
      }),
    revokeAll: (workspaceId) =>
      database.transaction(async (unit) => {
        await workspaces.require(workspaceId, unit.trx);
        return revoke(unit, { workspaceIds: [workspaceId] });
      }),
    flush: () => usage.flush(),
  };
}

function holderOf(row: store.TokenWithWorkspace | undefined): TokenHolder | undefined {
  if (row === undefined) return undefined;
  const diedWithIt = row.revoked_at === null || row.revoked_at >= (row.removed_at ?? '');
  if (row.status === 'removed') {
    const removed = { kind: 'removed', workspaceId: row.workspace_id, removedAt: row.removed_at } as const;
    return diedWithIt ? removed : undefined;
  }
  if (row.revoked_at !== null) return undefined;
  return { kind: 'workspace', workspaceId: row.workspace_id, tokenId: row.id };
}

function tokenLimit(): ApiError {
  return new ApiError(429, 'token_limit', `maximum ${MAX_LIVE_TOKENS} active tokens per workspace`, {
    extras: { hint: 'Revoke a token that is no longer used.' },
  });
}
