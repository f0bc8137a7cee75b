import type { MessageView } from '@molecule-ai/protocol';
import { cutText, storeRequest } from '../activity/activity-row.ts';
import type { FeedWriter } from '../activity/feed-writer.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { MessageRow, WorkspaceRow } from '../database/schema.ts';
import { canPush, expiryOf } from './delivery.rules.ts';
import type { InboxRoom } from './inbox-room.ts';
import { directCaller } from './message.store.ts';
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

interface MessageQueueOptions extends Pick<PlatformContext, 'settings'> {
  readonly feed: FeedWriter;
  readonly room: InboxRoom;
}

/** Adds messages to the delivery queue. Whoever pushes them, and who ends those that expire, sets what is called after the commit. */
export class MessageQueue {
  /** A message waits for this target; `isPushable`: messages can be posted to it now. */
  onQueued: (targetId: string, isPushable: boolean) => void = () => {};
  /** A message was stored, or given another time, that expires then. */
  onExpiring: (expiresAt: string | null) => void = () => {};
  readonly #options: MessageQueueOptions;

  constructor(options: MessageQueueOptions) {
    this.#options = options;
  }

  /** Stores a message; undefined when the caller has already used its message id. */
  async enqueue(unit: UnitOfWork, message: NewMessage): Promise<MessageRow | undefined> {
    const { callerId, target, view, lease } = message;
    const { feed, room, settings } = this.#options;
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
      expires_at: expiryOf(view.deadline, unit.now, settings.messageTtlMs),
    };
    const row = await feed.record(unit, columns, layout);
    if (row === undefined) return undefined;
    if (lease === undefined) {
      unit.onRollback(room.add(target.id, row.caller, Buffer.byteLength(request_body)));
    }
    unit.afterCommit(() => {
      this.onExpiring(row.expires_at);
      if (lease === undefined) this.onQueued(target.id, canPush(target));
    });
    return row as MessageRow;
  }

  /** Records a message that the platform itself handled, and that is on no feed, so that a repeat of it is recognised. */
  async recordHandled(
    unit: UnitOfWork,
    {
      callerId,
      targetId,
      view,
      messageId,
      bodyHash,
    }: Pick<NewMessage, 'callerId' | 'view' | 'messageId' | 'bodyHash'> & { readonly targetId: string },
  ): Promise<MessageRow> {
    const row = await this.#options.feed.record(unit, {
      workspace_id: null,
      direction: 'out',
      activity_type: 'a2a_send',
      method: view.method,
      source_id: callerId,
      target_id: targetId,
      message_id: messageId,
      context_id: view.contextId || null,
      request_body: JSON.stringify(view.envelope),
      delivery_state: 'unanswered',
      body_hash: bodyHash,
      ended_at: unit.at,
      status: 'ok',
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
      expires_at: expiryOf('', unit.now, settings.messageTtlMs),
      status: 'ok',
    });
    if (row !== undefined) unit.afterCommit(() => this.onExpiring(row.expires_at));
    return row as MessageRow | undefined;
  }

  /** Records a reply that is returned to a held call and added to no feed, so that a repeat of it is recognised. */
  async recordReply(
    unit: UnitOfWork,
    reply: Pick<NewMessage, 'messageId' | 'bodyHash'> & {
      readonly callerId: string;
      readonly targetId: string;
      readonly answersId: string;
    },
  ): Promise<void> {
    await this.#options.feed.record(unit, {
      workspace_id: null,
      direction: 'out',
      activity_type: 'a2a_send',
      source_id: reply.callerId,
      target_id: reply.targetId,
      message_id: reply.messageId,
      delivery_state: 'delivered',
      body_hash: reply.bodyHash,
      answers_id: reply.answersId,
      status: 'ok',
    });
  }
}
