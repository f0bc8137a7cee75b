import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { readWithoutAcknowledging } from '../activity/reading-positions.ts';
import type { PlatformDatabase, Queryable } from '../database/platform-database.ts';
import { type ActivityRowRecord, CANVAS_CALLER, type Database, type MessageRow } from '../database/schema.ts';
import type { MessageChange } from './life.ts';
import { PATH_COLUMNS, type PathRow } from './path.ts';

/** What is known of a message at its end without reading its bodies. */
export type EndedMessage = Pick<MessageRow, (typeof ENDED_COLUMNS)[number]>;

/** One message in the list of what a workspace sent. */
export type SentMessage = Pick<MessageRow, (typeof SENT_COLUMNS)[number]>;

/** A message with the time of the outcome that its caller was sent. */
export type SentOutcomeRow = Pick<MessageRow, 'id' | 'changed_at'>;

/** Which sent messages are listed. */
export interface SentMessageFilter {
  /** States of rows. */
  readonly states: readonly string[];
  /** Only messages that changed at this time or later. */
  readonly since: string | undefined;
  readonly limit: number;
}

/** A message id, or a row id in any letter case, on the feed of a workspace. */
export interface FeedReference {
  readonly workspaceId: string;
  readonly reference: string;
}

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

/** What is read of a message that another one continues, when that is interrupted or continued. */
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
const UNREAD = { response_body: null, failure: null, error_detail: null };

const SENT_COLUMNS = [
  'id',
  'seq',
  'message_id',
  'source_id',
  'target_id',
  'context_id',
  'delivery_state',
  'attempts',
  'failure',
  'created_at',
  'changed_at',
  'ended_at',
] as const;

/** What says who waits for an answer to a message. */
const AWAITED_COLUMNS = ['source_id', 'caller_receipt', 'delivery_state'] as const;

/** States in which a message has an answer, which may be stored with another one. */
const WITH_ANSWER: ReadonlySet<string> = new Set(['answered', 'failed', 'input_required']);
/** Of several messages with one id so many are read, to name them. */
const MOST_NAMED = 5;
/** Messages that are ended in one step when their agent acknowledges them. */
export const ACKNOWLEDGED_AT_ONCE = 200;

/**
 * Under which caller a message is stored that its sender did not send through the platform: not under the sender, whose
 * message ids and list of sent messages are its own.
 */
export function directCaller(agentId: string, sourceId: string): string {
  return `direct:${agentId}:${sourceId}`;
}

/** Whether the platform knows a message only from its agent, which may have invented it. */
export function isDirect({ caller }: { readonly caller: string }): boolean {
  return caller.startsWith('direct:');
}

/** The same for a message that the platform writes in the name of a sender, to deliver answers to questions. */
export function answersCaller(agentId: string, sourceId: string | null): string {
  return `answers:${agentId}:${sourceId ?? CANVAS_CALLER}`;
}

/** All statements that read and change messages. Rows are inserted by `FeedWriter`. */
export class MessageStore {
  readonly #database: PlatformDatabase;
  readonly #run: ReturnType<typeof prepareStatements>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
    this.#run = prepareStatements(database);
  }

  async find(id: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#run.selectById({ id }, db));
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
    const [row] = (await this.#run.selectContinued({ id }, db)).rows;
    return row === undefined ? undefined : ({ ...row, ...UNREAD } as unknown as MessageRow);
  }

  /** Finds a message by its caller (or `canvas`) and the caller's message id, which identify a repeat. */
  async findByCaller(caller: string, messageId: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#run.selectByCaller({ caller, messageId }, db));
  }

  /** Lists messages with this id that agents say they received from `sourceId` directly, each of another agent. */
  async listDirect(sourceId: string, messageId: string, db?: Queryable): Promise<MessageRow[]> {
    return (await this.#run.selectDirect({ sourceId, messageId }, db)).rows as MessageRow[];
  }

  /** Lists messages with this id on the feed of a workspace, each of another sender. */
  async listOnFeed(workspaceId: string, messageId: string, db?: Queryable): Promise<MessageRow[]> {
    return (await this.#run.selectOnFeed({ workspaceId, messageId }, db)).rows as MessageRow[];
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
    const { rows } = await this.#run.selectByCallers(
      {
        messageId: reference,
        own: caller,
        direct: directCaller(targetId, caller),
        answers: answersCaller(targetId, caller),
      },
      db,
    );
    const byMessageId = rows.filter(({ workspace_id: id }) => id === targetId) as MessageRow[];
    const [some] = byMessageId;
    if (some !== undefined) return byMessageId.find(({ ended_at: endedAt }) => endedAt === null) ?? some;
    const byId = await this.find(reference, db);
    const isFromCaller = (byId?.source_id ?? CANVAS_CALLER) === caller;
    const matches = byId?.workspace_id === targetId && isFromCaller && byId.message_id !== null;
    return matches ? byId : undefined;
  }

  /** Finds the latest message of `caller` to `targetId` that its agent answered with this task. */
  async findByAgentTask(
    caller: string,
    targetId: string,
    taskId: string,
    db: Queryable = this.#database.query,
  ): Promise<MessageRow | undefined> {
    const row = await db
      .selectFrom('activity')
      .selectAll()
      .where('agent_task_id', '=', taskId)
      .where('caller', '=', caller)
      .where('workspace_id', '=', targetId)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row as MessageRow | undefined;
  }

  /** Finds the message with this message id or row id on the feed of a workspace; the latest of several. */
  async findAwaited({ workspaceId, reference }: FeedReference, db: Queryable) {
    const byMessageId = await this.#run.selectAwaitedByMessageId({ workspaceId, reference }, db);
    if (byMessageId.rows.length > 0) return byMessageId.rows[0];
    const byId = await this.#run.selectAwaitedById({ workspaceId, reference: reference.toLowerCase() }, db);
    return byId.rows[0];
  }

  /** Finds the newest message from one workspace on the feed of another. */
  async findNewestFrom(workspaceId: string, peerId: string, db: Queryable) {
    return (await this.#run.selectNewestFrom({ workspaceId, peerId }, db)).rows[0];
  }

  /**
   * Finds a message on the feed of `targetId` by its message id, whoever sent it. Of several the one with the most hops.
   */
  async findDelivered(targetId: string, messageId: string, db: Queryable): Promise<PathRow | undefined> {
    return (await this.#run.selectDelivered({ targetId, messageId }, db)).rows[0] as PathRow | undefined;
  }

  /** Finds a message on the feed of `targetId` by its row id. */
  async findOnFeed(targetId: string, id: string, db: Queryable): Promise<PathRow | undefined> {
    const { rows } = await this.#run.selectPathOnFeed({ targetId, id: id.toLowerCase() }, db);
    return rows[0] as PathRow | undefined;
  }

  /** How many messages of all branches of a path were sent because of late answers; counts to `limit`. */
  async countLate(origin: string, limit: number, db?: Queryable): Promise<number> {
    return Number((await this.#run.countLate({ origin, limit }, db)).rows[0]?.count ?? 0);
  }

  /** Finds the message that is pushed to the target next: the oldest one that waits. */
  async findNext(targetId: string, db?: Queryable): Promise<MessageRow | undefined> {
    return first(await this.#run.selectNext({ targetId }, db));
  }

  /** Lists the leased messages of all processes. */
  async listLeased(): Promise<MessageRow[]> {
    return (await this.#run.selectLeased({})).rows as MessageRow[];
  }

  /** Lists the workspaces with pending messages, due or not. */
  async listPendingTargets(): Promise<string[]> {
    const { rows } = await this.#run.selectPendingTargets({});
    return rows.flatMap(({ workspace_id: id }) => (id === null ? [] : [id]));
  }

  /** Counts what waits for a workspace, by sender; `bytes` of what is stored for it. */
  async countWaiting(workspaceId: string, acknowledgingSince: string, db: Queryable) {
    return (await this.#run.countWaiting({ workspaceId, acknowledgingSince }, db)).rows;
  }

  /** How many messages wait for their agents or are being pushed, and since when the oldest does. */
  async measureQueue(): Promise<{ readonly depth: number; readonly oldest: string | null }> {
    const row = await this.#database.query
      .selectFrom('activity')
      .select((eb) => [eb.fn.countAll().as('depth'), eb.fn.min('created_at').as('oldest')])
      .where(isUndelivered)
      .executeTakeFirst();
    return { depth: Number(row?.depth ?? 0), oldest: row?.oldest ?? null };
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

  /**
   * Lists what a workspace sent, answers left out, the latest change first, at most one more than `limit`. Each state is one range of the
   * index `activity_by_sender`, so that a few open messages are found among many that have ended.
   */
  async listSent(caller: string, { states, since, limit }: SentMessageFilter): Promise<SentMessage[]> {
    const { query } = this.#database;
    const inState = (state: string) => {
      const page = query
        .selectFrom('activity')
        .select(SENT_COLUMNS)
        .where('caller', '=', caller)
        .where('delivery_state', '=', state)
        .where(sql<SqlBool>`message_id is not null and answers_id is null`)
        .$if(since !== undefined, (select) => select.where('changed_at', '>=', since ?? ''))
        .orderBy('changed_at', 'desc')
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      return query.selectFrom(page.as('page')).selectAll();
    };
    const [one = '', ...others] = states;
    const rows = await others
      .reduce((union, state) => union.unionAll(inState(state)), inState(one))
      .orderBy('changed_at', 'desc')
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute();
    return rows as SentMessage[];
  }

  /** Lists messages that have not ended and should have by now, the longest overdue first. */
  async listExpired(now: string, limit: number): Promise<string[]> {
    return (await this.#run.selectExpired({ now, limit })).rows.map(({ id }) => id);
  }

  /** Finds when the next message expires. */
  async findNextExpiry(): Promise<string | null> {
    return (await this.#run.selectNextExpiry({})).rows[0]?.expires_at ?? null;
  }

  /** Lists the messages whose outcome was sent to a held call and never confirmed, because the process was killed. */
  listUnreceived(): Promise<SentOutcomeRow[]> {
    return this.#database.query
      .selectFrom('activity')
      .select(['id', 'changed_at'])
      .where('caller_receipt', '=', sql.lit('sent'))
      .execute();
  }

  /**
   * Writes some columns if the message still has the state and lease with which it was read. Every change of the state
   * of a message goes through this statement, or one of the two below. False when another writer was faster.
   */
  async write(message: MessageRow, change: MessageChange, db: Queryable): Promise<boolean> {
    const { id: of, delivery_state: from, lease_owner: owner } = message;
    const guard = owner === null ? { of, from } : { of, from, owner };
    return (await this.#run.update({ ...change, ...guard }, db)).numAffectedRows === 1n;
  }

  /** Writes some columns of the messages up to a place in a feed that are being pushed; returns how many. */
  async writeLeasedUpTo(
    { workspaceId, seq }: { readonly workspaceId: string; readonly seq: number },
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
   * Writes some columns of the first waiting messages up to a place in a feed, and returns these messages. Those
   * that should have expired by `now` are left for that.
   */
  async writePendingUpTo(
    { workspaceId, seq, now }: { readonly workspaceId: string; readonly seq: number; readonly now: string },
    change: MessageChange,
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
      .limit(ACKNOWLEDGED_AT_ONCE);
    const rows = await db
      .updateTable('activity')
      .set(change)
      .where('seq', 'in', waiting)
      .returning(ENDED_COLUMNS)
      .execute();
    return rows as EndedMessage[];
  }

  /** Extends the lease of a running push. */
  async renewLease(id: string, { owner, until }: { readonly owner: string; readonly until: string }) {
    await this.#database.query
      .updateTable('activity')
      .set({ lease_until: until })
      .where('id', '=', id)
      .where('lease_owner', '=', owner)
      .where('delivery_state', '=', 'leased')
      .execute();
  }

  /** Records that the callers of these messages have received the outcomes that they had then. */
  async markReceived(messages: readonly SentOutcomeRow[]): Promise<void> {
    const ids = messages.map(({ id }) => id);
    const outcomes = messages.map(({ id, changed_at: at }) => id + at);
    await this.#database.query
      .updateTable('activity')
      .set({ caller_receipt: 'received' })
      .where('id', 'in', ids)
      .where(sql<string>`${sql.ref('id')} || ${sql.ref('changed_at')}`, 'in', outcomes)
      .where('caller_receipt', '=', 'sent')
      .execute();
  }

  /** Claims the delivery of an outcome that its caller has not confirmed; false when there is another one by now. */
  async claimUnreceived({ id, changed_at: changedAt }: SentOutcomeRow, db: Queryable): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('activity')
      .set({ caller_receipt: 'received' })
      .where('id', '=', id)
      .where('changed_at', '=', changedAt)
      .where('caller_receipt', '=', 'sent')
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }
}

/** Pending or being pushed; the exact condition of the index `activity_by_delivery`, so that the planner uses it. */
function isUndelivered(eb: ExpressionBuilder<Database, 'activity'>): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref('delivery_state')} in ('pending', 'leased')`;
}

/** On the feed of this workspace, but not by an index of feeds: the message id alone leaves a row or two. */
const FEED_WITHOUT_INDEX = sql<string>`${sql.ref('workspace_id')} || ''`;

/** The statements that run often. */
function prepareStatements(database: PlatformDatabase) {
  const rows = (db: Queryable) => db.selectFrom('activity');
  return {
    selectById: database.prepare((db, { id }: { id: string }) => rows(db).selectAll().where('id', '=', id)),
    selectContinued: database.prepare((db, { id }: { id: string }) =>
      rows(db)
        .select(CONTINUED_COLUMNS)
        .select(
          sql<string | null>`case when request_body like '%"deadline"%' then request_body end`.as(
            'request_body',
          ),
        )
        .where('id', '=', id),
    ),
    selectByCaller: database.prepare((db, { caller, messageId }: { caller: string; messageId: string }) =>
      rows(db).selectAll().where('caller', '=', caller).where('message_id', '=', messageId),
    ),
    selectByCallers: database.prepare(
      (db, keys: { messageId: string; own: string; direct: string; answers: string }) =>
        rows(db)
          .selectAll()
          .where('message_id', '=', keys.messageId)
          .where('caller', 'in', [keys.own, keys.direct, keys.answers]),
    ),
    selectDirect: database.prepare((db, values: { sourceId: string; messageId: string }) =>
      rows(db)
        .selectAll()
        .where('message_id', '=', values.messageId)
        .where('caller', 'like', sql.lit('direct:%'))
        .where('source_id', '=', values.sourceId)
        .orderBy('seq')
        .limit(MOST_NAMED),
    ),
    selectOnFeed: database.prepare((db, values: { workspaceId: string; messageId: string }) =>
      rows(db)
        .selectAll()
        .where('message_id', '=', values.messageId)
        .where('workspace_id', '=', values.workspaceId)
        .orderBy('seq')
        .limit(MOST_NAMED),
    ),
    selectAwaitedById: database.prepare((db, { workspaceId, reference }: FeedReference) =>
      rows(db)
        .select(AWAITED_COLUMNS)
        .where('id', '=', reference)
        .where('workspace_id', '=', workspaceId)
        .where('message_id', 'is not', null),
    ),
    selectAwaitedByMessageId: database.prepare((db, { workspaceId, reference }: FeedReference) =>
      rows(db)
        .select(AWAITED_COLUMNS)
        .where('message_id', '=', reference)
        .where(FEED_WITHOUT_INDEX, '=', workspaceId)
        .orderBy('seq', 'desc')
        .limit(1),
    ),
    selectNewestFrom: database.prepare((db, values: { workspaceId: string; peerId: string }) =>
      rows(db)
        .select(['delivery_state', 'seq'])
        .where('workspace_id', '=', values.workspaceId)
        .where('peer_id', '=', values.peerId)
        .where('message_id', 'is not', null)
        .orderBy('seq', 'desc')
        .limit(1),
    ),
    selectDelivered: database.prepare((db, values: { targetId: string; messageId: string }) =>
      rows(db)
        .select(PATH_COLUMNS)
        .where('message_id', '=', values.messageId)
        .where(FEED_WITHOUT_INDEX, '=', values.targetId)
        .orderBy('hops', 'desc')
        .orderBy('turns', 'desc')
        .limit(1),
    ),
    selectPathOnFeed: database.prepare((db, values: { targetId: string; id: string }) =>
      rows(db).select(PATH_COLUMNS).where('id', '=', values.id).where('workspace_id', '=', values.targetId),
    ),
    countLate: database.prepare((db, { origin, limit }: { origin: string; limit: number }) =>
      db
        .selectFrom((late) =>
          late
            .selectFrom('activity')
            .select('turns')
            .where('path_origin', '=', origin)
            .where('turns', '>', 0)
            .where('answers_id', 'is', null)
            .limit(limit)
            .as('late'),
        )
        .select(({ fn }) => fn.countAll<number>().as('count')),
    ),
    selectNext: database.prepare((db, { targetId }: { targetId: string }) =>
      rows(db)
        .selectAll()
        .where('workspace_id', '=', targetId)
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending')
        .orderBy('seq')
        .limit(1),
    ),
    selectLeased: database.prepare((db) =>
      rows(db).selectAll().where(isUndelivered).where('delivery_state', '=', 'leased'),
    ),
    selectPendingTargets: database.prepare((db) =>
      rows(db).select('workspace_id').distinct().where(isUndelivered).where('delivery_state', '=', 'pending'),
    ),
    countWaiting: database.prepare((db, values: { workspaceId: string; acknowledgingSince: string }) =>
      rows(db)
        .select((eb) => [
          'caller',
          eb.fn.countAll().as('rows'),
          sql<number>`sum(octet_length(coalesce(${sql.ref('request_body')}, '')))`.as('bytes'),
        ])
        .where('workspace_id', '=', values.workspaceId)
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending')
        .where('seq', '>', readWithoutAcknowledging(values.workspaceId, values.acknowledgingSince))
        .groupBy('caller'),
    ),
    selectExpired: database.prepare((db, { now, limit }: { now: string; limit: number }) =>
      rows(db).select('id').where('expires_at', '<=', now).orderBy('expires_at').limit(limit),
    ),
    selectNextExpiry: database.prepare((db) =>
      rows(db).select('expires_at').where('expires_at', 'is not', null).orderBy('expires_at').limit(1),
    ),
    update: database.prepareVariants(
      (db, { of, from, owner, ...change }: MessageChange & { of: string; from: string; owner?: string }) => {
        const update = db
          .updateTable('activity')
          .set(change)
          .where('id', '=', of)
          .where('delivery_state', '=', from);
        return owner === undefined ? update : update.where('lease_owner', '=', owner);
      },
    ),
  };
}

function first({ rows }: { readonly rows: readonly ActivityRowRecord[] }): MessageRow | undefined {
  return rows[0] as MessageRow | undefined;
}

export function withoutAnswer(message: MessageRow): MessageRow {
  return { ...message, response_body: null };
}
