import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import type { WorkspaceTokenRow } from '../database/schema.ts';

/** A token with the columns of its workspace that decide whether it is valid. */
export interface TokenWithWorkspace {
  readonly id: string;
  readonly workspace_id: string;
  readonly revoked_at: string | null;
  readonly status: string;
  readonly removed_at: string | null;
  readonly claimed_at: string | null;
}

/** Selects live tokens of some workspaces; all of them unless restricted. */
export interface TokenSelection {
  readonly workspaceIds: readonly string[];
  readonly tokenId?: string;
  /** Only the token that was issued with the workspace, if it has not been used. */
  readonly unusedFirstOnly?: boolean;
}

export class TokensStore {
  readonly #query: Queryable;

  constructor({ database }: Pick<PlatformContext, 'database'>) {
    this.#query = database.query;
  }

  async findByHash(hash: string): Promise<TokenWithWorkspace | undefined> {
    return this.#query
      .selectFrom('workspace_tokens as token')
      .innerJoin('workspaces as workspace', 'workspace.id', 'token.workspace_id')
      .select(['token.id', 'token.workspace_id', 'token.revoked_at'])
      .select(['workspace.status', 'workspace.removed_at', 'workspace.claimed_at'])
      .where('token.token_hash', '=', hash)
      .executeTakeFirst();
  }

  /** Live tokens, newest first. */
  async listLive(workspaceId: string, page: { limit: number; offset: number }): Promise<WorkspaceTokenRow[]> {
    return this.#query
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

  async countLive(workspaceId: string, db: Queryable): Promise<number> {
    const row = await db
      .selectFrom('workspace_tokens')
      .select((eb) => eb.fn.countAll().as('live'))
      .where('workspace_id', '=', workspaceId)
      .where('revoked_at', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(row.live);
  }

  async insert(row: WorkspaceTokenRow, db: Queryable): Promise<void> {
    await db.insertInto('workspace_tokens').values(row).execute();
  }

  /** Revokes the selected live tokens; returns how many there were. */
  async revoke(selection: TokenSelection, revokedAt: string, db: Queryable): Promise<number> {
    const { workspaceIds, tokenId, unusedFirstOnly } = selection;
    let query = db
      .updateTable('workspace_tokens')
      .set({ revoked_at: revokedAt })
      .where('workspace_id', 'in', workspaceIds)
      .where('revoked_at', 'is', null);
    if (tokenId !== undefined) query = query.where('id', '=', tokenId);
    if (unusedFirstOnly === true) {
      query = query.where('origin', '=', 'create').where('last_used_at', 'is', null);
    }
    return Number((await query.executeTakeFirst()).numUpdatedRows);
  }

  async writeLastUsed(tokenId: string, usedAt: string, db: Queryable): Promise<void> {
    await db
      .updateTable('workspace_tokens')
      .set({ last_used_at: usedAt })
      .where('id', '=', tokenId)
      .execute();
  }
}
