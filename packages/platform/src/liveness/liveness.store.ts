import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';

/** Ids of the external workspaces that count as alive. */
export async function readLiveExternalIds(db: Kysely<Database>): Promise<string[]> {
  const rows = await db
    .selectFrom('workspaces')
    .select('id')
    .where('status', 'in', ['online', 'degraded'])
    .where('runtime', '=', 'external')
    .execute();
  return rows.map((row) => row.id);
}

/** Turns one workspace offline, unless its status has changed meanwhile. */
export async function markOffline(db: Kysely<Database>, id: string, now: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('workspaces')
    .set({ status: 'offline', updated_at: now })
    .where('id', '=', id)
    .where('status', 'in', ['online', 'degraded'])
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
