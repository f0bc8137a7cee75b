import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { ActivityRowRecord, Database } from '../database/schema.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { callersOf } from './caller-keys.rules.ts';
import {
  type CallerKeys,
  selectByCallers,
  selectContinued,
  selectDirect,
  selectOnFeed,
} from './message.selects.ts';

/** A row of the feed that is a message. */
export type MessageRow = ActivityRowRecord & {
  readonly message_id: string;
  readonly body_hash: string;
  readonly target_id: string;
};

/** What is known of a message at its end without reading its bodies. */
export type EndedMessage = Pick<MessageRow, (typeof ENDED_COLUMNS)[number]>;

export type MessageChange = Partial<
  Omit<ActivityRowRecord, 'id' | 'seq' | 'message_id' | 'body_hash' | 'target_id'>
>;

interface Lease {
  readonly owner: string;
  readonly until: string;
}

type ChangeValues = MessageChange & {
  readonly of: string;
  readonly from: string;
  readonly owner?: string;
};

const ENDED_COLUMNS = [
  'id',
  'seq',
  'workspace_id',
  'source_id',
  'target_id',
  'message_id',
  'context_id',
  'conversation_id',
  'trace_id',
  'answers_id',
  'continues_id',
  'delivery_state',
  'created_at',
  'ended_at',
  'passed_headers',
] as const;

const UNREAD = { response_body: null, failure: null, error_detail: null };

/** States in which a message has an answer, which may be stored with another one. */
const WITH_ANSWER: ReadonlySet<string> = new Set(['answered', 'failed', 'input_required']);

/** The statements of messages. The feed and retention are the activity room's. */
export class MessageStore {
  readonly #database: PlatformDatabase;
  readonly #selectById: PreparedQuery<{ id: string }, ActivityRowRecord>;
  readonly #selectContinued: PreparedQuery<{ id: string }, Partial<ActivityRowRecord>>;
  readonly #selectByCaller: PreparedQuery<{ caller: string; messageId: string }, ActivityRowRecord>;
  readonly #selectByCallers: PreparedQuery<CallerKeys, ActivityRowRecord>;
  readonly #selectDirect: PreparedQuery<{ sourceId: string; messageId: string }, ActivityRowRecord>;
  readonly #selectOnFeed: PreparedQuery<{ workspaceId: string; messageId: string }, ActivityRowRecord>;
  readonly #selectOldestPending: PreparedQuery<{ targetId: string }, ActivityRowRecord>;
  readonly #selectLeased: PreparedQuery<Record<string, never>, ActivityRowRecord>;
  readonly #selectPendingTargets: PreparedQuery<Record<string, never>, { workspace_id: string | null }>;
  readonly #change: PreparedQuery<ChangeValues, unknown>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
    this.#selectById = database.prepare((db, { id }: { id: string }) =>
      db.selectFrom('activity').selectAll().where('id', '=', id),
    );
    this.#selectContinued = database.prepare(selectContinued);
    this.#selectByCaller = database.prepare((db, values: { caller: string; messageId: string }) =>
      db
        .selectFrom('activity')
        .selectAll()
        .where('caller', '=', values.caller)
        .where('message_id', '=', values.messageId),
    );
    this.#selectByCallers = database.prepare(selectByCallers);
    this.#selectDirect = database.prepare(selectDirect);
    this.#selectOnFeed = database.prepare(selectOnFeed);
    this.#selectOldestPending = database.prepare((db, { targetId }: { targetId: string }) =>
      db
        .selectFrom('activity')
        .selectAll()
        .where('workspace_id', '=', targetId)
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending')
        .orderBy('seq')
        .limit(1),
    );
    this.#selectLeased = database.prepare((db) =>
      db.selectFrom('activity').selectAll().where(isUndelivered).where('delivery_state', '=', 'leased'),
    );
    this.#selectPendingTargets = database.prepare((db) =>
      db
        .selectFrom('activity')
        .select('workspace_id')
        .distinct()
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending'),
    );
    this.#change = database.prepare((db, { of, from, owner, ...change }: ChangeValues) => {
      const update = db
        .updateTable('activity')
        .set(change)
        .where('id', '=', of)
        .where('delivery_state', '=', from);
      return owner === undefined ? update : update.where('lease_owner', '=', owner);
    });
  }

  async find(id: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#selectById({ id }, db));
  }

  /**
   * Finds a message with its answer, also where that is stored with the last message that continues this one: an answer is
   * stored once, and at the end once more with the first message.
   */
  async findWithAnswer(id: string, db?: Queryable): Promise<MessageRow | undefined> {
    const message = await this.find(id, db);
    return message && this.withAnswer(message, db);
  }

  /** A message as it was read, with its answer where that is stored with another one. */
  async withAnswer(message: MessageRow, db?: Queryable): Promise<MessageRow> {
    let last: MessageRow | undefined = message;
    while (last !== undefined && last.response_body === null && last.continued_by !== null) {
      if (!WITH_ANSWER.has(last.delivery_state)) return message;
      last = await this.find(last.continued_by, db);
    }
    return message === last ? message : { ...message, response_body: last?.response_body ?? null };
  }

  /**
   * Finds an open message that another one continues, without what is long. Its request is only read where it may name
   * a deadline.
   */
  async findContinued(id: string, db: Queryable): Promise<MessageRow | undefined> {
    const { rows } = await this.#selectContinued({ id }, db);
    const [row] = rows;
    return row === undefined ? undefined : ({ ...row, ...UNREAD } as MessageRow);
  }

  /** Finds a message by its caller (or `canvas`) and the caller's message id, which identify a repeat. */
  async findByCaller(caller: string, messageId: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#selectByCaller({ caller, messageId }, db));
  }

  /** Lists messages with this id that agents say they received from `sourceId` directly, each of another agent. */
  async listDirect(sourceId: string, messageId: string, db?: Queryable): Promise<MessageRow[]> {
    const { rows } = await this.#selectDirect({ sourceId, messageId }, db);
    return [...rows] as MessageRow[];
  }

  /** Lists messages with this id on the feed of a workspace, each of another sender. */
  async listOnFeed(workspaceId: string, messageId: string, db?: Queryable): Promise<MessageRow[]> {
    const { rows } = await this.#selectOnFeed({ workspaceId, messageId }, db);
    return [...rows] as MessageRow[];
  }

  /**
   * Finds the message of `caller` to `targetId` that an answer refers to by message id or row id; of several with the
   * same message id one that has not ended.
   */
  async findAnswered(
    caller: string,
    targetId: string,
    reference: string,
    db: Queryable,
  ): Promise<MessageRow | undefined> {
    const [own, direct, answers] = callersOf(targetId, caller);
    const { rows } = await this.#selectByCallers({ messageId: reference, own, direct, answers }, db);
    const byMessageId = rows.filter(({ workspace_id: id }) => id === targetId) as MessageRow[];
    const [some] = byMessageId;
    if (some !== undefined) return byMessageId.find(({ ended_at: endedAt }) => endedAt === null) ?? some;
    const byId = await this.find(reference, db);
    const isFromCaller = (byId?.source_id ?? CANVAS_CALLER) === caller;
    const matches = byId?.workspace_id === targetId && isFromCaller && byId.message_id !== null;
    return matches ? byId : undefined;
  }

  /** Finds the next message for the target. */
  async findOldestPending(targetId: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#selectOldestPending({ targetId }, db));
  }

  /**
   * Writes some columns if the message still has the state and lease with which it was read. Every change of the state
   * of a message goes through this statement. False when another writer was faster.
   */
  async change(message: MessageRow, change: MessageChange, db: Queryable): Promise<boolean> {
    const { id: of, delivery_state: from, lease_owner: owner } = message;
    const guard = owner === null ? { of, from } : { of, from, owner };
    const { numAffectedRows } = await this.#change({ ...change, ...guard }, db);
    return numAffectedRows === 1n;
  }

  /** Leases a pending message for one push attempt; undefined when another attempt has it. */
  async lease(message: MessageRow, { owner, until }: Lease, db: Queryable): Promise<MessageRow | undefined> {
    const change = {
      delivery_state: 'leased',
      lease_owner: owner,
      lease_until: until,
      attempts: message.attempts + 1,
      next_attempt_at: null,
    };
    return (await this.change(message, change, db)) ? { ...message, ...change } : undefined;
  }

  /** Extends the lease of a running push. */
  async renewLease(id: string, { owner, until }: Lease): Promise<void> {
    await this.#database.query
      .updateTable('activity')
      .set({ lease_until: until })
      .where('id', '=', id)
      .where('lease_owner', '=', owner)
      .where('delivery_state', '=', 'leased')
      .execute();
  }

  /** Lists the leased messages of all processes. */
  async listLeased(): Promise<MessageRow[]> {
    const { rows } = await this.#selectLeased({});
    return rows as MessageRow[];
  }

  /** Lists the workspaces with pending messages, due or not. */
  async listPendingTargets(): Promise<string[]> {
    const { rows } = await this.#selectPendingTargets({});
    return rows.flatMap(({ workspace_id: id }) => (id === null ? [] : [id]));
  }

  /** Lists the open messages that were sent to these workspaces. */
  async listOpen(targetIds: readonly string[], db: Queryable): Promise<MessageRow[]> {
    const rows = await db
      .selectFrom('activity')
      .selectAll()
      .where('workspace_id', 'in', targetIds)
      .where('expires_at', 'is not', null)
      .orderBy('seq')
      .execute();
    return rows as MessageRow[];
  }

  /** Writes some columns of the messages up to a place in a feed that are being pushed; returns how many. */
  async changeLeasedUpTo(
    workspaceId: string,
    seq: number,
    change: MessageChange,
    db: Queryable,
  ): Promise<number> {
    const { numUpdatedRows } = await db
      .updateTable('activity')
      .set(change)
      .where('workspace_id', '=', workspaceId)
      .where(isUndelivered)
      .where('delivery_state', '=', 'leased')
      .where('seq', '<=', seq)
      .executeTakeFirst();
    return Number(numUpdatedRows);
  }

  /**
   * Writes some columns of the first `limit` waiting messages up to a place in a feed, and returns these messages. Those
   * that should have expired by `now` are left for that.
   */
  async changePendingUpTo(
    workspaceId: string,
    seq: number,
    change: MessageChange,
    { limit, now }: { readonly limit: number; readonly now: string },
    db: Queryable,
  ): Promise<EndedMessage[]> {
    const waiting = db
      .selectFrom('activity')
      .select('seq')
      .where('workspace_id', '=', workspaceId)
      .where(isUndelivered)
      .where('delivery_state', '=', 'pending')
      .where('seq', '<=', seq)
      .where('expires_at', '>', now)
      .orderBy('seq')
      .limit(limit);
    const rows = await db
      .updateTable('activity')
      .set(change)
      .where('seq', 'in', waiting)
      // Another transaction may have ended one of them since they were selected.
      .where('delivery_state', '=', 'pending')
      .returning(ENDED_COLUMNS)
      .execute();
    return rows as EndedMessage[];
  }
}

function first({ rows }: { readonly rows: readonly ActivityRowRecord[] }): MessageRow | undefined {
  return rows[0] as MessageRow | undefined;
}

export function withoutAnswer(message: MessageRow): MessageRow {
  return { ...message, response_body: null };
}

/** Pending or being pushed; the exact condition of the index `activity_by_delivery`, so that the planner uses it. */
export function isUndelivered(eb: ExpressionBuilder<Database, 'activity'>): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref('delivery_state')} in ('pending', 'leased')`;
}
