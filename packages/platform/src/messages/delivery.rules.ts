import type { QueuedResponse } from '@molecule-ai/protocol';
import type { MessageRow, WorkspaceRow } from '../database/schema.ts';
import { parseRfc3339 } from '../time/clock.ts';

/** Maximum of `X-Timeout`, in seconds. */
export const MAX_HOLD_SECONDS = 300;

const RETRY_DELAYS_MS = [1_000, 4_000, 16_000, 64_000] as const;

const RETRY_JITTER = 0.25;

/** Maximum delay of a retry; a later time was stored before the clock was set back. */
export const LONGEST_RETRY_MS = 64_000 * (1 + RETRY_JITTER);

/**
 * How a new message is delivered: `push` posts it to the agent, `wait` stores it for the agent's next feed read and
 * holds the call for an answer, `store` stores it and returns 202 at once. See
 * docs/contract/messages.md#delivery-by-state-of-the-target.
 */
export type DeliveryPlan = 'push' | 'wait' | 'store';

/** The columns of a target that delivery depends on. */
type DeliveryTarget = Pick<WorkspaceRow, 'id' | 'status' | 'delivery_mode' | 'url' | 'max_concurrent_tasks'>;

export function planDelivery(
  target: DeliveryTarget,
  message: { readonly method: string; readonly expectsAnswer: boolean },
  callerId: string | null,
): DeliveryPlan {
  if (canPush(target)) return 'push';
  if (!isPresent(target) || target.delivery_mode !== 'poll') return 'store';
  // An agent that calls itself cannot read its feed while it waits for its own answer.
  const mayBeAnswered =
    message.expectsAnswer && message.method.startsWith('message/') && callerId !== target.id;
  return mayBeAnswered ? 'wait' : 'store';
}

/** Whether the call is held for the answer: only when it can arrive soon. */
export function isHeld(plan: DeliveryPlan, message: { readonly expectsAnswer: boolean }): boolean {
  return plan !== 'store' && message.expectsAnswer;
}

/** Whether messages can be posted to this workspace now. */
export function canPush(target: DeliveryTarget): target is DeliveryTarget & { url: string } {
  return target.delivery_mode === 'push' && target.url !== null && target.url !== '' && isPresent(target);
}

function isPresent(target: DeliveryTarget): boolean {
  return target.status === 'online' || target.status === 'degraded';
}

/**
 * Milliseconds until the next attempt after `attempts` failed ones: 1, 4, 16, then 64 s, each ±25 %. `random` is from
 * 0 to 1.
 */
export function pushRetryDelayMs(attempts: number, random: number): number {
  const base = RETRY_DELAYS_MS[Math.min(attempts, RETRY_DELAYS_MS.length) - 1] ?? RETRY_DELAYS_MS[0];
  return withJitter(base, random);
}

/** The time ±25 %; `random` is from 0 to 1. */
export function withJitter(ms: number, random: number): number {
  return Math.round(ms * (1 + RETRY_JITTER * (2 * random - 1)));
}

const LATEST_TIME = Date.UTC(9999, 0);

/**
 * When a message expires that is accepted, or continued, now: after its time to live, or at its own deadline if that
 * is sooner.
 */
export function expiryOf(deadline: string, nowMs: number, ttlMs: number): string {
  const deadlineMs = (deadline === '' ? undefined : parseRfc3339(deadline)) ?? LATEST_TIME;
  return new Date(Math.min(nowMs + ttlMs, deadlineMs, LATEST_TIME)).toISOString();
}

/** The 202 body of a message that has no answer yet. */
export function queuedResponse(
  message: Pick<MessageRow, 'id' | 'message_id'>,
  target: DeliveryTarget,
  depth: number,
): QueuedResponse {
  const held = target.status === 'paused';
  return {
    queued: true,
    status: 'queued',
    delivery_mode: target.delivery_mode === 'push' ? 'push' : 'poll',
    queue_id: message.id,
    activity_id: message.id,
    message_id: message.message_id,
    queue_depth: depth,
    message: held
      ? 'The workspace is paused; the message is stored and delivered after it resumes.'
      : 'The message is stored and will be delivered; it has no answer yet.',
    ...(held ? { held } : {}),
  };
}
