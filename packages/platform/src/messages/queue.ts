import type { MessageView } from '@molecule-ai/protocol';
import { cutText, storeRequest } from '../activity/activity-row.ts';
import type { FeedWriter } from '../activity/feed-writer.ts';
import { acknowledgingSince, type ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { Queryable, UnitOfWork } from '../database/platform-database.ts';
import { CANVAS_CALLER, type MessageRow, type WorkspaceRow } from '../database/schema.ts';
import { LatestMap } from '../latest-map.ts';
import { canPush, expiryOf } from './delivery.rules.ts';
import { directCaller, type MessageStore } from './message.store.ts';
import { type MessagePath, pathColumns } from './path.ts';
import { conversationIdOf, type PassedHeaders, storeHeaders } from './request.ts';

/** A new message for the feed of its target, which is also its delivery queue. */
interface NewMessage {
  /** The calling workspace; null for people and operators. */
  readonly callerId: string | null;
  /** Under which the message id is unique. @default the calling workspace */
  readonly callerKey?: string;
  readonly target: WorkspaceRow;
  readonly view: MessageView;
  readonly messageId: string;
  /** Of the sender's request, for each push of the message. @default none */
  readonly headers?: PassedHeaders;
  /** The id of the message that it answers; `''` for none. */
  readonly inReplyTo: string;
  readonly bodyHash: string;
  readonly path: MessagePath;
  /** For an answer that names no trace. */
  readonly traceId?: string | null;
  readonly summary: string;
  /** Present when the push starts right after the commit; otherwise the message is queued. */
  readonly lease?: { readonly owner: string; readonly until: string } | undefined;
  /** Whether the outcome must be delivered to the caller. */
  readonly outcomeExpected: boolean;
  /** For the outcome of another message: the row id of that message, and the error text if it failed. */
  readonly answersId?: string;
  readonly failure?: string | undefined;
  /** The row id of the message that it continues with the answers to its questions. */
  readonly continuesId?: string | undefined;
}

/** Workspaces whose waiting messages are counted in memory; the one that was quiet longest is removed first. */
const MAX_WORKSPACES = 10_000;
/** Of what may wait for a workspace, one part in so many is for a single sender, and one for people and operators only. */
const SENDER_PART = 4;
const PEOPLE_PART = 10;
/** Another process may have changed what waits since it was counted. */
const COUNT_IS_VALID_MS = 10_000;

/** Number and size of messages; `bytes` of what is stored for them. */
interface Amount {
  rows: number;
  bytes: number;
}

interface Counted {
  readonly total: Amount;
  readonly bySender: Map<string, Amount>;
  readonly countedAt: number;
  /** A message has ended, or the agent has read on, since it was counted: less may wait. */
  mayHaveShrunk: boolean;
}

/** Why no further message fits: all that may wait is used, or the part of one sender. */
export type InboxRefusal = 'inbox' | 'sender';

interface MessageQueueOptions extends Pick<PlatformContext, 'clock' | 'events' | 'settings'> {
  readonly feed: FeedWriter;
  readonly positions: ReadingPositions;
  readonly store: MessageStore;
}

/**
 * Adds messages to the delivery queue. Whoever pushes them, and who ends those that expire, sets what is called after the commit.
 *
 * What waits for one workspace is limited; for an agent that never acknowledges, that is what it has not read. Messages are
 * counted in memory as they are stored, and in the database when that reaches a limit or is some time ago. See docs/contract/limits.md#inbox.
 */
export class MessageQueue {
  /** A message waits for this target; `isPushable`: messages can be posted to it now. */
  onQueued: (targetId: string, isPushable: boolean) => void = () => {};
  /** A message was stored, or given another time, that expires then. */
  onExpiring: (expiresAt: string | null) => void = () => {};
  readonly #options: MessageQueueOptions;
  readonly #counted = new LatestMap<string, Counted>(MAX_WORKSPACES);

  constructor(options: MessageQueueOptions) {
    this.#options = options;
    const shrank = (workspaceId: string) => {
      const counted = this.#counted.get(workspaceId);
      if (counted !== undefined) counted.mayHaveShrunk = true;
    };
    options.events.subscribe(['MESSAGE_ENDED'], shrank);
    options.positions.onAdvance(shrank);
  }

  /** Stores a message; undefined when the caller has already used its message id. */
  async enqueue(unit: UnitOfWork, message: NewMessage): Promise<MessageRow | undefined> {
    const { callerId, target, view, lease } = message;
    const { feed, settings } = this.#options;
    const contextId = view.contextId || null;
    const { request_body, layout } = storeRequest(view);
    const columns = {
      workspace_id: target.id,
      direction: 'in',
      activity_type: 'a2a_receive',
      method: view.method,
      source_id: callerId,
      ...(message.callerKey === undefined ? {} : { caller: message.callerKey }),
      target_id: target.id,
      peer_id: callerId,
      message_id: message.messageId,
      context_id: contextId,
      conversation_id: conversationIdOf(callerId, contextId),
      trace_id: view.traceId || message.traceId || null,
      in_reply_to: message.inReplyTo || null,
      summary: cutText(message.summary, 200),
      request_body,
      passed_headers: storeHeaders(message.headers ?? {}),
      status: message.failure === undefined ? 'pending' : 'error',
      error_detail: message.failure ?? null,
      delivery_state: lease === undefined ? 'pending' : 'leased',
      body_hash: message.bodyHash,
      answers_id: message.answersId ?? null,
      continues_id: message.continuesId ?? null,
      ...pathColumns(message.path),
      attempts: lease === undefined ? 0 : 1,
      lease_owner: lease?.owner ?? null,
      lease_until: lease?.until ?? null,
      caller_receipt: message.outcomeExpected ? 'expected' : 'none',
      expires_at: expiryOf(view.deadline, unit.now, settings.limits.messageTtlMs),
    };
    const row = await feed.record(unit, columns, layout);
    if (row === undefined) return undefined;
    if (lease === undefined) {
      unit.onRollback(this.#count(target.id, row.caller, Buffer.byteLength(request_body)));
    }
    unit.afterCommit(() => {
      this.onExpiring(row.expires_at);
      if (lease === undefined) this.onQueued(target.id, canPush(target));
    });
    return row as MessageRow;
  }

  /**
   * Records a message that is on no feed, so that a repeat of it is recognised: a reply that is returned to a held call, or, with its
   * view, one that the platform itself has handled.
   */
  async recordApart(
    unit: UnitOfWork,
    message: Pick<NewMessage, 'callerId' | 'messageId' | 'bodyHash' | 'answersId'> & {
      readonly targetId: string;
      readonly view?: MessageView;
    },
  ): Promise<MessageRow> {
    const { view } = message;
    const handled = view && {
      method: view.method,
      context_id: view.contextId || null,
      request_body: JSON.stringify(view.envelope),
      ended_at: unit.at,
    };
    const row = await this.#options.feed.record(unit, {
      workspace_id: null,
      direction: 'out',
      activity_type: 'a2a_send',
      source_id: message.callerId,
      target_id: message.targetId,
      message_id: message.messageId,
      delivery_state: view === undefined ? 'delivered' : 'unanswered',
      body_hash: message.bodyHash,
      answers_id: message.answersId ?? null,
      status: 'ok',
      ...handled,
    });
    if (row === undefined) throw new Error('The message is a repeat.');
    return row as MessageRow;
  }

  /**
   * Records a message that an agent received directly, so that it can be interrupted, continued and answered like one
   * that the platform delivered. Undefined when it was recorded before.
   */
  async recordDirect(
    unit: UnitOfWork,
    direct: {
      readonly callerId: string;
      readonly targetId: string;
      readonly messageId: string;
      readonly contextId: string;
      readonly headers: PassedHeaders;
    },
  ): Promise<MessageRow | undefined> {
    const { feed, settings } = this.#options;
    const { callerId, targetId, messageId, contextId, headers } = direct;
    const row = await feed.record(unit, {
      workspace_id: targetId,
      direction: 'out',
      activity_type: 'task_update',
      method: 'message/send',
      caller: directCaller(targetId, callerId),
      source_id: callerId,
      target_id: targetId,
      peer_id: callerId,
      message_id: messageId,
      context_id: contextId || null,
      conversation_id: conversationIdOf(callerId, contextId || null),
      summary: 'direct message',
      passed_headers: storeHeaders(headers),
      delivery_state: 'delivered',
      caller_receipt: 'expected',
      body_hash: '',
      expires_at: expiryOf('', unit.now, settings.limits.messageTtlMs),
      status: 'ok',
    });
    if (row !== undefined) unit.afterCommit(() => this.onExpiring(row.expires_at));
    return row as MessageRow | undefined;
  }

  /** Whether one more message of `caller` may wait for the workspace, and if not, why. */
  async checkRoom(workspaceId: string, caller: string, db: Queryable): Promise<InboxRefusal | undefined> {
    const { clock } = this.#options;
    const known = this.#counted.get(workspaceId);
    const isRecent = known !== undefined && clock.monotonic() - known.countedAt < COUNT_IS_VALID_MS;
    const refusal = known === undefined ? undefined : this.#refusal(known, caller);
    if (isRecent && (refusal === undefined || !known.mayHaveShrunk)) return refusal;
    return this.#refusal(await this.#countIn(workspaceId, db), caller);
  }

  /** Counts a message that was stored; returns what undoes it. */
  #count(workspaceId: string, caller: string, bytes: number): () => void {
    const counted = this.#counted.get(workspaceId);
    if (counted === undefined) return () => {};
    const amounts = [counted.total, amountOf(counted, caller)];
    const change = (sign: 1 | -1) => {
      for (const amount of amounts) {
        amount.rows += sign;
        amount.bytes += sign * bytes;
      }
    };
    change(1);
    return () => change(-1);
  }

  #refusal(counted: Counted, caller: string): InboxRefusal | undefined {
    const { inboxLimit, inboxBytes } = this.#options.settings.limits;
    const isFull = ({ rows, bytes }: Amount, part: number) =>
      rows >= Math.ceil(inboxLimit * part) || bytes >= inboxBytes * part;
    if (caller === CANVAS_CALLER) return isFull(counted.total, 1) ? 'inbox' : undefined;
    if (isFull(counted.total, 1 - 1 / PEOPLE_PART)) return 'inbox';
    const own = counted.bySender.get(caller);
    return own !== undefined && isFull(own, 1 / SENDER_PART) ? 'sender' : undefined;
  }

  async #countIn(workspaceId: string, db: Queryable): Promise<Counted> {
    const since = acknowledgingSince(this.#options.clock);
    const counted: Counted = {
      total: { rows: 0, bytes: 0 },
      bySender: new Map(),
      countedAt: this.#options.clock.monotonic(),
      mayHaveShrunk: false,
    };
    for (const row of await this.#options.store.countWaiting(
      { workspaceId, acknowledgingSince: since },
      db,
    )) {
      const amount = { rows: Number(row.rows), bytes: Number(row.bytes ?? 0) };
      counted.bySender.set(row.caller, amount);
      counted.total.rows += amount.rows;
      counted.total.bytes += amount.bytes;
    }
    this.#counted.set(workspaceId, counted);
    return counted;
  }
}

function amountOf({ bySender }: Counted, caller: string): Amount {
  let amount = bySender.get(caller);
  if (amount === undefined) {
    amount = { rows: 0, bytes: 0 };
    bySender.set(caller, amount);
  }
  return amount;
}
