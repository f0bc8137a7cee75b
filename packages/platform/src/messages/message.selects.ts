import { sql } from 'kysely';
import type { Queryable } from '../database/platform-database.ts';

/** What is read of a message that another one continues, when that is interrupted or resumed. */
const CONTINUED_COLUMNS = [
  'id',
  'seq',
  'workspace_id',
  'source_id',
  'caller',
  'target_id',
  'message_id',
  'context_id',
  'trace_id',
  'passed_headers',
  'answers_id',
  'continues_id',
  'continued_by',
  'delivery_state',
  'lease_owner',
  'caller_receipt',
  'hops',
  'path',
  'turns',
  'path_origin',
] as const;

/** Of several messages with one id so many are read, to name them. */
const MOST_NAMED = 5;

/** A message id, and the callers under which it may be stored; see `callersOf`. */
export interface CallerKeys {
  readonly messageId: string;
  readonly own: string;
  readonly direct: string;
  readonly answers: string;
}

/** A request is only selected where it may name a deadline. */
export function selectContinued(db: Queryable, { id }: { id: string }) {
  return db
    .selectFrom('activity')
    .select(CONTINUED_COLUMNS)
    .select(
      sql<string | null>`case when request_body like '%"deadline"%' then request_body end`.as('request_body'),
    )
    .where('id', '=', id);
}

export function selectByCallers(db: Queryable, { messageId, own, direct, answers }: CallerKeys) {
  return db
    .selectFrom('activity')
    .selectAll()
    .where('message_id', '=', messageId)
    .where('caller', 'in', [own, direct, answers]);
}

export function selectDirect(
  db: Queryable,
  { sourceId, messageId }: { readonly sourceId: string; readonly messageId: string },
) {
  return db
    .selectFrom('activity')
    .selectAll()
    .where('message_id', '=', messageId)
    .where('caller', 'like', sql.lit('direct:%'))
    .where('source_id', '=', sourceId)
    .orderBy('seq')
    .limit(MOST_NAMED);
}

export function selectOnFeed(
  db: Queryable,
  { workspaceId, messageId }: { readonly workspaceId: string; readonly messageId: string },
) {
  return db
    .selectFrom('activity')
    .selectAll()
    .where('message_id', '=', messageId)
    .where('workspace_id', '=', workspaceId)
    .orderBy('seq')
    .limit(MOST_NAMED);
}
