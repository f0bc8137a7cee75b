import type { Kysely } from 'kysely';
import type { Database, WorkspaceTokenRow } from '../database/schema.ts';

/** A token together with what decides whether it counts. */
export interface TokenWithWorkspace {
  readonly id: string;
  readonly workspace_id: string;
  readonly revoked_at: string | null;
  readonly status: string;
  readonly removed_at: string | null;
  readonly claimed_at: string | null;
}

export async function readTokenByHash(
  db: Kysely<Database>,
  hash: string,
): Promise<TokenWithWorkspace | undefined> {
  return db
    .selectFrom('workspace_tokens as token')
    .innerJoin('workspaces as workspace', 'workspace.id', 'token.workspace_id')
    .select(['token.id', 'token.workspace_id', 'token.revoked_at'])
    .select(['workspace.status', 'workspace.removed_at', 'workspace.claimed_at'])
    .where('token.token_hash', '=', hash)
    .executeTakeFirst();
}

export async function insertToken(db: Kysely<Database>, row: WorkspaceTokenRow): Promise<void> {
  await db.insertInto('workspace_tokens').values(row).execute();
}

/** Live tokens, newest first. */
export async function readLiveTokens(
  db: Kysely<Database>,
  workspaceId: string,
  page: { limit: number; offset: number },
): Promise<WorkspaceTokenRow[]> {
  return db
    .selectFrom('workspace_tokens')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('revoked_at', 'is', null)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
    .offset(page.offset)
    .execute();
}

export async function countLiveTokens(db: Kysely<Database>, workspaceId: string): Promise<number> {
  const row = await db
    .selectFrom('workspace_tokens')
    .select((eb) => eb.fn.countAll().as('live'))
    .where('workspace_id', '=', workspaceId)
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(row.live);
}

/** Revokes the live tokens of these workspaces that fit; answers how many there were. */
export async function revokeTokens(
  db: Kysely<Database>,
  which: { workspaceIds: readonly string[]; tokenId?: string; unusedFirstOnly?: boolean },
  now: string,
): Promise<number> {
  const { workspaceIds, tokenId, unusedFirstOnly } = which;
  let query = db
    .updateTable('workspace_tokens')
    .set({ revoked_at: now })
    .where('workspace_id', 'in', workspaceIds)
    .where('revoked_at', 'is', null);
  if (tokenId !== undefined) query = query.where('id', '=', tokenId);
  if (unusedFirstOnly === true)
    query = query.where('origin', '=', 'create').where('last_used_at', 'is', null);
  return Number((await query.executeTakeFirst()).numUpdatedRows);
}

/** Marks an unclaimed workspace as claimed; false when it was claimed before. */
export async function claimWorkspace(
  db: Kysely<Database>,
  workspaceId: string,
  now: string,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('workspaces')
    .set({ claimed_at: now })
    .where('id', '=', workspaceId)
    .where('claimed_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function writeLastUsed(db: Kysely<Database>, tokenId: string, usedAt: string): Promise<void> {
  await db.updateTable('workspace_tokens').set({ last_used_at: usedAt }).where('id', '=', tokenId).execute();
}
