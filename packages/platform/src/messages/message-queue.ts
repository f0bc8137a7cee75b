import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import { cutText } from '../activity/text-summary.rules.ts';
import { orderedId } from '../database/ordered-id.ts';
import type { MessageRecord, WorkspaceRow } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { canPush } from './delivery.rules.ts';
import { insertMessage } from './message.store.ts';

/** A message for the queue of its target. */
export interface NewMessage {
  /** The calling workspace; null for people and operators. */
  readonly callerId: string | null;
  readonly target: WorkspaceRow;
  readonly envelope: JsonObject;
  readonly method: string;
  readonly messageId: string;
  readonly contextId?: string | null;
  readonly traceId?: string | null;
  readonly inReplyTo: string | null;
  readonly bodyHash: string;
  readonly summary: string;
  /** Given when the push starts right after the commit; else the message waits for its turn. */
  readonly lease?: { readonly owner: string; readonly until: string } | undefined;
  /** Whether the caller has to receive the outcome. */
  readonly outcomeExpected: boolean;
  /** For the answer to another message: the `queue_id` of that message, and what failed if it is a failure. */
  readonly answersId?: string;
  readonly failure?: string | undefined;
}

/** Called after the commit; `pushable` tells whether the target could be pushed to at that moment. */
export type QueueListener = (change: { readonly targetId: string; readonly pushable: boolean }) => void;

/** The one way into the delivery queue. Whoever delivers subscribes to its changes. */
export class MessageQueue {
  readonly #activity: ActivityService;
  readonly #clock: Clock;
  readonly #listeners: QueueListener[] = [];

  constructor({ activity, clock }: { readonly activity: ActivityService; readonly clock: Clock }) {
    this.#activity = activity;
    this.#clock = clock;
  }

  onChanged(listener: QueueListener): void {
    this.#listeners.push(listener);
  }

  /** Stores the message, its feed row and the event in the caller's transaction. */
  async enqueue(unit: UnitOfWork, message: NewMessage): Promise<MessageRecord> {
    const { callerId, target, lease } = message;
    const { id, seq } = await this.#activity.record(unit, {
      workspaceId: target.id,
      direction: 'in',
      type: 'a2a_receive',
      method: message.method,
      sourceId: callerId,
      targetId: target.id,
      peerId: callerId,
      messageId: message.messageId,
      contextId: message.contextId ?? null,
      traceId: message.traceId ?? null,
      inReplyTo: message.inReplyTo,
      summary: cutText(message.summary, 200),
      request: message.envelope,
      status: message.failure === undefined ? 'pending' : 'error',
      errorDetail: message.failure ?? null,
      deliveryState: lease === undefined ? 'pending' : 'leased',
    });
    const now = timestamp(this.#clock);
    const record = await insertMessage(unit.trx, {
      queue_id: orderedId(this.#clock),
      caller_key: callerId ?? CANVAS_CALLER,
      caller_id: callerId,
      message_id: message.messageId,
      target_id: target.id,
      activity_id: id,
      activity_seq: seq,
      body_hash: message.bodyHash,
      state: lease === undefined ? 'queued' : 'leased',
      attempts: lease === undefined ? 0 : 1,
      lease_owner: lease?.owner ?? null,
      lease_until: lease?.until ?? null,
      answer_told: message.outcomeExpected ? 0 : 1,
      answers_id: message.answersId ?? null,
      created_at: now,
      updated_at: now,
    });
    if (lease === undefined) {
      const change = { targetId: target.id, pushable: canPush(target) };
      unit.afterCommit(() => {
        for (const listener of this.#listeners) listener(change);
      });
    }
    return record;
  }
}

/**
 * Hex SHA-256 of what makes a message the same message: its target, method and params, in any order of keys.
 * The JSON-RPC id is left out, because a repeated call may carry a new one.
 */
export function hashMessage(targetId: string, envelope: JsonObject): string {
  const { method, params } = envelope;
  const same = canonical({ target: targetId, method: method ?? null, params: params ?? null });
  return createHash('sha256').update(JSON.stringify(same)).digest('hex');
}

/** The same JSON with the keys of each object in one order; depth is bounded by whoever read the body. */
function canonical(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return ['list', ...value.map(canonical)];
  if (!isJsonObject(value)) return value;
  // Pairs, so that a key such as `__proto__` or `1` keeps its place.
  const pairs = Object.keys(value)
    .sort()
    .map((key) => [key, canonical(value[key] ?? null)]);
  return ['object', ...pairs];
}
