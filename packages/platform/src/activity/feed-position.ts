import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';
import { readIdUpTo, readSeq } from './activity.store.ts';

/**
 * The row that an acknowledgement names: by id, or by place, where a place between rows or after the last one
 * means the row before it. 404 for what the feed of this workspace does not have.
 */
export async function findPosition(
  db: Kysely<Database>,
  workspaceId: string,
  upTo: string | number,
): Promise<{ id: string; seq: number }> {
  const place = typeof upTo === 'number' || /^\d{1,15}$/.test(upTo) ? Number(upTo) : undefined;
  if (place !== undefined) {
    const row = await readIdUpTo(db, workspaceId, place);
    if (row !== undefined) return row;
  } else {
    const id = String(upTo).toLowerCase();
    const seq = await readSeq(db, workspaceId, id);
    if (seq !== undefined) return { id, seq };
  }
  throw new ApiError(404, 'activity_not_found', 'activity row not found', { extras: { field: 'up_to' } });
}
