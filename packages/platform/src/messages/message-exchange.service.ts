import type { AnswerAccepted, MessageRecord as MessageView, QueuedAnswer } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { MessageRecord, WorkspaceRow } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import type { IncomingMessage, MessageIntake } from './accept/accept-message.service.ts';
import { isHeld, queuedAnswer } from './delivery.rules.ts';
import { readByCaller, readMessage } from './message.store.ts';
import { type Outcome, storedOutcome } from './outcome/outcome.rules.ts';
import type { OutcomeWaiter, OutcomeWaiters, Telling } from './outcome/outcome-waiters.ts';

/** The client of a call that may wait. */
export type WaitingClient = Pick<ClientConnection, 'gone' | 'onGone'>;

/** An outcome on its way to a client, who is to be reported as told or not. */
export interface ToldOutcome {
  readonly outcome: Outcome;
  readonly telling: Telling | undefined;
}

/** What the sender of a message is told. */
export type SendResult =
  | { readonly kind: 'reply'; readonly body: AnswerAccepted }
  | ({ readonly kind: 'outcome' } & ToldOutcome)
  | { readonly kind: 'queued'; readonly body: QueuedAnswer };

/** A message as its sender finds it. */
export interface MessageLook {
  readonly view: Omit<MessageView, 'answer' | 'error'>;
  readonly told: ToldOutcome | undefined;
}

/** Which message somebody asks for. */
export interface MessageReference {
  /** The caller of the message; for an operator's own messages their target. */
  readonly workspaceId: string;
  readonly messageId: string;
  readonly byOperator: boolean;
}

/** The sender's side of a message: send it and wait, or come back and ask (decision 11). */
export interface MessageExchange {
  /** Stores a message and holds the client up to `holdSeconds` where an answer can come soon. */
  send(incoming: IncomingMessage, holdSeconds: number, client: WaitingClient): Promise<SendResult>;
  /** The state of a message, after waiting up to `waitSeconds` for its outcome. 404 when there is none. */
  look(reference: MessageReference, waitSeconds: number, client: WaitingClient): Promise<MessageLook>;
}

export interface MessageExchangeParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly intake: MessageIntake;
  readonly waiters: OutcomeWaiters;
}

export function createMessageExchange(
  { db }: PlatformContext,
  { activity, workspaces, intake, waiters }: MessageExchangeParts,
): MessageExchange {
  const standBy = (
    queueId: string,
    seconds: number,
    client: WaitingClient,
    isCaller: boolean,
  ): OutcomeWaiter => {
    const waiter = waiters.wait(queueId, seconds * 1_000, isCaller);
    client.onGone(() => waiter.end());
    return waiter;
  };

  /** Waits for a message that others may be ending just now: the waiter stands before the look. */
  const waitFor = async (
    queueId: string,
    seconds: number,
    client: WaitingClient,
    isCaller: boolean,
  ): Promise<ToldOutcome | undefined> => {
    const waiter = seconds > 0 ? standBy(queueId, seconds, client, isCaller) : undefined;
    const record = await readMessage(db, queueId);
    const outcome = record === undefined ? undefined : storedOutcome(record);
    if (outcome !== undefined) waiter?.end();
    const end = await waiter?.done;
    if (end?.kind === 'outcome') return end;
    return outcome === undefined ? undefined : { outcome, telling: undefined };
  };

  const queued = async (record: MessageRecord, target: WorkspaceRow): Promise<SendResult> => {
    const depth = await activity.pendingCount(target.id);
    return { kind: 'queued', body: queuedAnswer(record, target, depth) };
  };

  const find = async ({ workspaceId, messageId, byOperator }: MessageReference) => {
    const own = await readByCaller(db, workspaceId, messageId);
    if (own !== undefined || !byOperator) return own;
    const asked = await readByCaller(db, CANVAS_CALLER, messageId);
    return asked?.target_id === workspaceId ? asked : undefined;
  };

  return {
    send: async (incoming, holdSeconds, client) => {
      const { view } = incoming.message;
      let waiter: OutcomeWaiter | undefined;
      const taken = await intake.take(incoming, (record, plan) => {
        if (holdSeconds > 0 && isHeld(plan, view)) {
          waiter = standBy(record.queue_id, holdSeconds, client, true);
        }
      });
      if (taken.kind === 'reply') return taken;
      const { record, target, plan } = taken;
      if (waiter !== undefined) {
        const end = await waiter.done;
        return end.kind === 'outcome' ? end : queued(record, target);
      }
      // Either nobody is held for this message, or it was sent before: then its outcome may be there.
      const told = await waitFor(record.queue_id, isHeld(plan, view) ? holdSeconds : 0, client, true);
      return told === undefined ? queued(record, target) : { kind: 'outcome', ...told };
    },

    look: async (reference, waitSeconds, client) => {
      const found = await find(reference);
      if (found === undefined) throw messageNotFound(reference.messageId);
      const isCaller = !reference.byOperator || found.caller_id === null;
      const told = await waitFor(found.queue_id, waitSeconds, client, isCaller);
      const record = (await readMessage(db, found.queue_id)) ?? found;
      const target = await workspaces.find(record.target_id);
      return { view: toView(record, target?.status === 'paused'), told };
    },
  };
}

function toView(record: MessageRecord, isTargetPaused: boolean): MessageLook['view'] {
  const state = record.state === 'leased' ? 'queued' : record.state;
  return {
    message_id: record.message_id,
    queue_id: record.queue_id,
    activity_id: record.activity_id,
    caller_id: record.caller_id,
    target_id: record.target_id,
    state,
    held: isTargetPaused && state === 'queued',
    attempts: record.attempts,
    created_at: record.created_at,
    answered_at: record.answered_at,
  };
}

function messageNotFound(messageId: string): ApiError {
  return new ApiError(404, 'message_not_found', 'message not found', { extras: { message_id: messageId } });
}
