import { type Compilable, type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { readWithoutAcknowledging } from '../activity/reading-positions.ts';
import type { PlatformDatabase, Queryable } from '../database/platform-database.ts';
import { CANVAS_CALLER, type Database, type MessageRow } from '../database/schema.ts';
import type { MessageChange } from './life.ts';
import { PATH_COLUMNS, type PathRow } from './path.ts';

/** A message without its bodies. */
export type MessageHead = Pick<MessageRow, (typeof HEAD_COLUMNS)[number]>;

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

/** The columns of a message without its bodies. */
const HEAD_COLUMNS = [
  ...PATH_COLUMNS,
  'seq',
  'workspace_id',
  'caller',
  'message_id',
  'context_id',
  'conversation_id',
  'trace_id',
  'passed_headers',
  'continues_id',
  'continued_by',
  'lease_owner',
  'caller_receipt',
  'attempts',
  'failure',
  'created_at',
  'changed_at',
  'ended_at',
] as const;
const UNREAD = { response_body: null, error_detail: null };

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
export type MessageStore = ReturnType<typeof createMessageStore>;

export function createMessageStore({ database }: { readonly database: PlatformDatabase }) {
  const { query } = database;
  const rows = (db: Queryable) => db.selectFrom('activity');
  const messages = (db: Queryable) => rows(db).selectAll().$castTo<MessageRow>();
  const undelivered = (db: Queryable) => messages(db).where(isUndelivered);
  /** A statement that runs often, and returns its rows, or the first of them. */
  const all = <Values extends object, Row>(build: (db: Queryable, values: Values) => Compilable<Row>) => {
    const run = database.prepare(build);
    return async (values: Values, db?: Queryable): Promise<Row[]> => (await run(values, db)).rows;
  };
  const first = <Values extends object, Row>(build: (db: Queryable, values: Values) => Compilable<Row>) => {
    const run = database.prepare(build);
    return async (values: Values, db?: Queryable): Promise<Row | undefined> =>
      (await run(values, db)).rows[0];
  };

  const find = first((db, { id }: { id: string }) => messages(db).where('id', '=', id));

  /**
   * A message as it was read, with its answer, also where that is stored with the last message that continues this one: an answer is
   * stored once, and at the end once more with the first message.
   */
  const withAnswer = async (message: MessageRow, db?: Queryable): Promise<MessageRow> => {
    let last: MessageRow | undefined = message;
    while (last !== undefined && last.response_body === null && last.continued_by !== null) {
      if (!WITH_ANSWER.has(last.delivery_state)) return message;
      last = await find({ id: last.continued_by }, db);
    }
    return message === last ? message : { ...message, response_body: last?.response_body ?? null };
  };

  const selectContinued = first((db, { id }: { id: string }) =>
    rows(db)
      .select(HEAD_COLUMNS)
      .select(
        sql<string | null>`case when request_body like '%"deadline"%' then request_body end`.as(
          'request_body',
        ),
      )
      .where('id', '=', id),
  );

  const selectByCallers = all(
    (db, keys: { messageId: string; own: string; direct: string; answers: string }) =>
      messages(db)
        .where('message_id', '=', keys.messageId)
        .where('caller', 'in', [keys.own, keys.direct, keys.answers]),
  );

  const selectAwaitedById = first((db, { workspaceId, reference }: FeedReference) =>
    rows(db)
      .select(AWAITED_COLUMNS)
      .where(({ and }) => and({ id: reference, workspace_id: workspaceId }))
      .where('message_id', 'is not', null),
  );

  const selectAwaitedByMessageId = first((db, { workspaceId, reference }: FeedReference) =>
    rows(db)
      .select(AWAITED_COLUMNS)
      .where('message_id', '=', reference)
      .where(FEED_WITHOUT_INDEX, '=', workspaceId)
      .orderBy('seq', 'desc')
      .limit(1),
  );

  const selectLate = first((db, { origin, limit }: { origin: string; limit: number }) =>
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
  );

  const update = database.prepareVariants(
    (
      db,
      { of, from, owner, ...change }: MessageChange & { of: string; from: string; owner: string | undefined },
    ) => {
      const changed = db
        .updateTable('activity')
        .set(change)
        .where(({ and }) => and({ id: of, delivery_state: from }));
      return owner === undefined ? changed : changed.where('lease_owner', '=', owner);
    },
  );

  return {
    /** Finds a message by its row id. */
    find,

    withAnswer,

    /** Finds a message with its answer. */
    async findWithAnswer(id: string, db?: Queryable): Promise<MessageRow | undefined> {
      const message = await find({ id }, db);
      return message && withAnswer(message, db);
    },

    /**
     * Finds an open message that another one continues, without what is long. Its request is only read where it may name
     * a deadline.
     */
    async findContinued(id: string, db: Queryable): Promise<MessageRow | undefined> {
      const row = await selectContinued({ id }, db);
      return row === undefined ? undefined : ({ ...row, ...UNREAD } as unknown as MessageRow);
    },

    /** Finds a message by its caller (or `canvas`) and the caller's message id, which identify a repeat. */
    findByCaller: first((db, { caller, messageId }: { caller: string; messageId: string }) =>
      messages(db).where('caller', '=', caller).where('message_id', '=', messageId),
    ),

    /** Lists messages with this id that agents say they received from `sourceId` directly, each of another agent. */
    listDirect: all((db, { sourceId, messageId }: { sourceId: string; messageId: string }) =>
      messages(db)
        .where('message_id', '=', messageId)
        .where('caller', 'like', sql.lit('direct:%'))
        .where('source_id', '=', sourceId)
        .orderBy('seq')
        .limit(MOST_NAMED),
    ),

    /** Lists messages with this id on the feed of a workspace, each of another sender. */
    listOnFeed: all((db, { workspaceId, messageId }: { workspaceId: string; messageId: string }) =>
      messages(db)
        .where(({ and }) => and({ message_id: messageId, workspace_id: workspaceId }))
        .orderBy('seq')
        .limit(MOST_NAMED),
    ),

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
      const named = await selectByCallers(
        {
          messageId: reference,
          own: caller,
          direct: directCaller(targetId, caller),
          answers: answersCaller(targetId, caller),
        },
        db,
      );
      const byMessageId = named.filter(({ workspace_id: id }) => id === targetId);
      const [some] = byMessageId;
      if (some !== undefined) return byMessageId.find(({ ended_at: endedAt }) => endedAt === null) ?? some;
      const byId = await find({ id: reference }, db);
      const isFromCaller = (byId?.source_id ?? CANVAS_CALLER) === caller;
      const matches = byId?.workspace_id === targetId && isFromCaller && byId.message_id !== null;
      return matches ? byId : undefined;
    },

    /** Finds the latest message of `caller` to `targetId` that its agent answered with this task. */
    findByAgentTask: first((db, values: { caller: string; targetId: string; taskId: string }) =>
      messages(db)
        .where(({ and }) =>
          and({ agent_task_id: values.taskId, caller: values.caller, workspace_id: values.targetId }),
        )
        .orderBy('seq', 'desc')
        .limit(1),
    ),

    /** Finds the message with this message id or row id on the feed of a workspace; the latest of several. */
    async findAwaited({ workspaceId, reference }: FeedReference, db: Queryable) {
      const byMessageId = await selectAwaitedByMessageId({ workspaceId, reference }, db);
      return byMessageId ?? selectAwaitedById({ workspaceId, reference: reference.toLowerCase() }, db);
    },

    /** Finds the newest message from one workspace on the feed of another. */
    findNewestFrom: first((db, { workspaceId, peerId }: { workspaceId: string; peerId: string }) =>
      rows(db)
        .select(['delivery_state', 'seq'])
        .where(({ and }) => and({ workspace_id: workspaceId, peer_id: peerId }))
        .where('message_id', 'is not', null)
        .orderBy('seq', 'desc')
        .limit(1),
    ),

    /** Finds a message on the feed of `targetId` by its message id, whoever sent it. Of several the one with the most hops. */
    findDelivered: first((db, { targetId, messageId }: { targetId: string; messageId: string }) =>
      rows(db)
        .select(PATH_COLUMNS)
        .$castTo<PathRow>()
        .where('message_id', '=', messageId)
        .where(FEED_WITHOUT_INDEX, '=', targetId)
        .orderBy('hops', 'desc')
        .orderBy('turns', 'desc')
        .limit(1),
    ),

    /** Finds a message on the feed of `targetId` by its row id. */
    findOnFeed: first((db, { targetId, id }: { targetId: string; id: string }) =>
      rows(db)
        .select(PATH_COLUMNS)
        .$castTo<PathRow>()
        .where('id', '=', id)
        .where('workspace_id', '=', targetId),
    ),

    /** How many messages of all branches of a path were sent because of late answers; counts to `limit`. */
    async countLate(origin: string, limit: number, db?: Queryable): Promise<number> {
      return Number((await selectLate({ origin, limit }, db))?.count ?? 0);
    },

    /** Finds the message that is pushed to the target next: the oldest one that waits. */
    findNext: first((db, { targetId }: { targetId: string }) =>
      undelivered(db)
        .where(({ and }) => and({ workspace_id: targetId, delivery_state: 'pending' }))
        .orderBy('seq')
        .limit(1),
    ),

    /** Lists the leased messages of all processes. */
    listLeased: all((db) => undelivered(db).where('delivery_state', '=', 'leased')),

    /** Lists the workspaces with pending messages, due or not. */
    listPendingTargets: all((db) =>
      rows(db)
        .select('workspace_id')
        .$narrowType<{ workspace_id: string }>()
        .distinct()
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending'),
    ),

    /** Counts what waits for a workspace, by sender; `bytes` of what is stored for it. */
    countWaiting: all((db, values: { workspaceId: string; acknowledgingSince: string }) =>
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

    /** How many messages wait for their agents or are being pushed, and since when the oldest does. */
    async measureQueue(): Promise<{ readonly depth: number; readonly oldest: string | null }> {
      const row = await rows(query)
        .select((eb) => [eb.fn.countAll().as('depth'), eb.fn.min('created_at').as('oldest')])
        .where(isUndelivered)
        .executeTakeFirst();
      return { depth: Number(row?.depth ?? 0), oldest: row?.oldest ?? null };
    },

    /** Lists the open messages that were sent to these workspaces. */
    listOpen: (targetIds: readonly string[], db: Queryable): Promise<MessageRow[]> =>
      messages(db)
        .where('workspace_id', 'in', targetIds)
        .where('expires_at', 'is not', null)
        .orderBy('seq')
        .execute(),

    /**
     * Lists what a workspace sent, answers left out, the latest change first, at most one more than `limit`. Each state is one range of the
     * index `activity_by_sender`, so that a few open messages are found among many that have ended.
     */
    listSent(caller: string, { states, since, limit }: SentMessageFilter): Promise<MessageHead[]> {
      const inState = (state: string) => {
        const page = rows(query)
          .select(HEAD_COLUMNS)
          .$castTo<MessageHead>()
          .where(({ and }) => and({ caller, delivery_state: state }))
          .where(sql<SqlBool>`message_id is not null and answers_id is null`)
          .$if(since !== undefined, (select) => select.where('changed_at', '>=', since ?? ''))
          .orderBy('changed_at', 'desc')
          .orderBy('seq', 'desc')
          .limit(limit + 1);
        return query.selectFrom(page.as('page')).selectAll();
      };
      const [one = '', ...others] = states;
      return others
        .reduce((union, state) => union.unionAll(inState(state)), inState(one))
        .orderBy('changed_at', 'desc')
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute();
    },

    /** Lists messages that have not ended and should have by now, the longest overdue first. */
    listExpired: all((db, { now, limit }: { now: string; limit: number }) =>
      rows(db).select('id').where('expires_at', '<=', now).orderBy('expires_at').limit(limit),
    ),

    /** Finds when the next message expires. */
    findNextExpiry: first((db) =>
      rows(db).select('expires_at').where('expires_at', 'is not', null).orderBy('expires_at').limit(1),
    ),

    /** Lists the messages whose outcome was sent to a held call and never confirmed, because the process was killed. */
    listUnreceived: (): Promise<SentOutcomeRow[]> =>
      rows(query).select(['id', 'changed_at']).where('caller_receipt', '=', sql.lit('sent')).execute(),

    /**
     * Writes some columns if the message still has the state and lease with which it was read. Every change of the state
     * of a message goes through this statement, or one of the two below. False when another writer was faster.
     */
    async write(message: MessageRow, change: MessageChange, db: Queryable): Promise<boolean> {
      const { id: of, delivery_state: from, lease_owner: owner } = message;
      const { numAffectedRows } = await update({ ...change, of, from, owner: owner ?? undefined }, db);
      return numAffectedRows === 1n;
    },

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
    },

    /**
     * Writes some columns of the first waiting messages up to a place in a feed, and returns these messages. Those
     * that should have expired by `now` are left for that.
     */
    async writePendingUpTo(
      { workspaceId, seq, now }: { readonly workspaceId: string; readonly seq: number; readonly now: string },
      change: MessageChange,
      db: Queryable,
    ): Promise<MessageHead[]> {
      const waiting = rows(db)
        .select('seq')
        .where('workspace_id', '=', workspaceId)
        .where(isUndelivered)
        .where('delivery_state', '=', 'pending')
        .where('seq', '<=', seq)
        .where('expires_at', '>', now)
        .orderBy('seq')
        .limit(ACKNOWLEDGED_AT_ONCE);
      const ended = await db
        .updateTable('activity')
        .set(change)
        .where('seq', 'in', waiting)
        // Another transaction may have ended one of them since they were selected.
        .where('delivery_state', '=', 'pending')
        .returning(HEAD_COLUMNS)
        .execute();
      return ended as MessageHead[];
    },

    /** Extends the lease of a running push. */
    async renewLease(id: string, { owner, until }: { readonly owner: string; readonly until: string }) {
      await query
        .updateTable('activity')
        .set({ lease_until: until })
        .where(({ and }) => and({ id, lease_owner: owner, delivery_state: 'leased' }))
        .execute();
    },

    /** Records that the callers of these messages have received the outcomes that they had then. */
    async markReceived(outcomes: readonly SentOutcomeRow[]): Promise<void> {
      const ids = outcomes.map(({ id }) => id);
      const times = outcomes.map(({ id, changed_at: at }) => id + at);
      await query
        .updateTable('activity')
        .set({ caller_receipt: 'received' })
        .where('id', 'in', ids)
        .where(sql<string>`${sql.ref('id')} || ${sql.ref('changed_at')}`, 'in', times)
        .where('caller_receipt', '=', 'sent')
        .execute();
    },

    /** Claims the delivery of an outcome that its caller has not confirmed; false when there is another one by now. */
    async claimUnreceived({ id, changed_at: changedAt }: SentOutcomeRow, db: Queryable): Promise<boolean> {
      const { numUpdatedRows } = await db
        .updateTable('activity')
        .set({ caller_receipt: 'received' })
        .where(({ and }) => and({ id, changed_at: changedAt, caller_receipt: 'sent' }))
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

/** Pending or being pushed; the exact condition of the index `activity_by_delivery`, so that the planner uses it. */
function isUndelivered(eb: ExpressionBuilder<Database, 'activity'>): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref('delivery_state')} in ('pending', 'leased')`;
}

/** On the feed of this workspace, but not by an index of feeds: the message id alone leaves a row or two. */
const FEED_WITHOUT_INDEX = sql<string>`${sql.ref('workspace_id')} || ''`;

export function withoutAnswer(message: MessageRow): MessageRow {
  return { ...message, response_body: null };
}
