import type { MessageView } from '@molecule-ai/protocol';
import { cutText, storeRequest } from '../activity/activity-row.ts';
import type { FeedWriter } from '../activity/feed-writer.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { timestamp } from '../time/clock.ts';
import { directCaller } from './caller-keys.rules.ts';
import { conversationIdOf } from './conversation.rules.ts';
import { canPush, expiryOf } from './delivery.rules.ts';
import type { InboxRoom } from './inbox-room.ts';
import type { MessageRow } from './message.store.ts';
import { type PassedHeaders, storeHeaders } from './passed-headers.rules.ts';
import { type MessagePath, pathColumns } from './path.rules.ts';

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

/** Called after the commit; `pushable`: messages can be posted to the target. */
type QueueListener = (change: { readonly targetId: string; readonly pushable: boolean }) => void;

interface MessageQueueOptions extends Pick<PlatformContext, 'clock' | 'settings'> {
  readonly feed: FeedWriter;
  readonly room: InboxRoom;
}

/** Adds messages to the delivery queue; notifies the push scheduler, and whoever ends messages that expire. */
export class MessageQueue {
  readonly #options: MessageQueueOptions;
  readonly #listeners: QueueListener[] = [];
  readonly #expiryListeners: ((expiresAt: string | null) => void)[] = [];

  constructor(options: MessageQueueOptions) {
    this.#options = options;
  }

  onChanged(listener: QueueListener): void {
    this.#listeners.push(listener);
  }

  /** Registers who is called after the commit with the time at which a stored message expires. */
  onExpiring(listener: (expiresAt: string | null) => void): void {
    this.#expiryListeners.push(listener);
  }

  /** Stores a message; undefined when the caller has already used its message id. */
  async enqueue(unit: UnitOfWork, message: NewMessage): Promise<MessageRow | undefined> {
    const { callerId, target, view, lease } = message;
    const { clock, feed, room, settings } = this.#options;
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
      expires_at: expiryOf(view.deadline, clock.now(), settings.messageTtlMs),
    };
    const row = await feed.record(unit, columns, layout);
    this.#reportExpiry(unit, row);
    if (row !== undefined && lease === undefined) {
      unit.onRollback(room.add(target.id, row.caller, Buffer.byteLength(row.request_body ?? '')));
      const change = { targetId: target.id, pushable: canPush(target) };
      unit.afterCommit(() => {
        for (const listener of this.#listeners) listener(change);
      });
    }
    return row as MessageRow | undefined;
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
      ended_at: timestamp(this.#options.clock),
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
    const { clock, settings } = this.#options;
    const { callerId, targetId, messageId, contextId, headers } = direct;
    const row = await this.#options.feed.record(unit, {
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
      expires_at: expiryOf('', clock.now(), settings.messageTtlMs),
      status: 'ok',
    });
    this.#reportExpiry(unit, row);
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

  #reportExpiry(unit: UnitOfWork, row: { readonly expires_at: string | null } | undefined): void {
    if (row === undefined) return;
    unit.afterCommit(() => {
      for (const listener of this.#expiryListeners) listener(row.expires_at);
    });
  }
}
