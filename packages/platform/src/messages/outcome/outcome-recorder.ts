import { type ErrorBody, isJsonObject, type JsonObject, type MessageView } from '@molecule-ai/protocol';
import type { ActivityService } from '../../activity/activity.service.ts';
import { cutText } from '../../activity/text-summary.rules.ts';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import { timestamp } from '../../time/clock.ts';
import type { MessageChange, MessageRow, MessageStore } from '../message.store.ts';
import { hashMessage, type MessageQueue } from '../message-queue.ts';
import type { CallerReceipts } from './caller-receipts.ts';
import { type Outcome, outcomeMessage, storedOutcome } from './outcome.rules.ts';
import type { OutcomeWaiters } from './outcome-waiters.ts';

/** A message in which the target answers a request. */
export interface ReplyMessage {
  readonly view: MessageView;
  readonly messageId: string;
  readonly bodyHash: string;
}

export interface AnswerDetails {
  readonly durationMs?: number;
  /** The message that is the answer; it is delivered even to a caller that expected none. */
  readonly reply?: ReplyMessage;
}

/** Runs in the transaction that records the outcome of a message. */
export type OutcomeListener = (unit: UnitOfWork, message: MessageRow, outcome: Outcome) => Promise<void>;

/** Where an outcome is delivered: to the caller's held call, or, when it does not wait, to its feed. */
export type OutcomeDestination = 'caller' | 'feed';

export interface OutcomeRecorderOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'events' | 'logger'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
  readonly waiters: OutcomeWaiters;
  readonly receipts: CallerReceipts;
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceDirectory;
}

/**
 * The only place where a stored message changes its state. Each method writes only if the message is unchanged since it
 * was read, and otherwise returns undefined or false: another writer was faster.
 */
export class OutcomeRecorder {
  readonly #options: OutcomeRecorderOptions;
  readonly #listeners: OutcomeListener[] = [];

  constructor(options: OutcomeRecorderOptions) {
    this.#options = options;
  }

  onOutcome(listener: OutcomeListener): void {
    this.#listeners.push(listener);
  }

  /** Records the answer. */
  async answer(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    { durationMs, reply }: AnswerDetails = {},
  ): Promise<OutcomeDestination | undefined> {
    const { clock, events } = this.#options;
    const trace = toolTraceOf(answer);
    const change = {
      status: 'ok',
      response_body: JSON.stringify(answer),
      duration_ms: durationMs ?? Math.max(0, clock.now() - Date.parse(message.created_at)),
      failure: null,
      ...(trace === undefined ? {} : { tool_trace: JSON.stringify(trace) }),
    };
    const mustNotifyCaller = reply !== undefined || message.delivery_state === 'failed';
    const outcome: Outcome = { state: 'answered', answer };
    const destination = await this.#end(unit, message, outcome, change, mustNotifyCaller, reply);
    if (destination !== undefined && message.source_id === null) {
      const { target_id: workspaceId, seq: activitySeq } = message;
      await events.append(unit, { type: 'A2A_RESPONSE', workspaceId, activitySeq });
    }
    return destination;
  }

  /** Records that delivery failed permanently. */
  async fail(unit: UnitOfWork, message: MessageRow, error: ErrorBody): Promise<void> {
    const full: ErrorBody = { ...error, message_id: message.message_id, queue_id: message.id };
    const change = {
      status: 'error',
      error_detail: cutText(error.error ?? 'delivery failed', 1_000),
      failure: JSON.stringify(full),
    };
    const destination = await this.#end(unit, message, { state: 'failed', error: full }, change, false);
    if (destination === undefined) return;
    const { target_id: workspaceId, seq: activitySeq } = message;
    await this.#options.events.append(unit, {
      type: 'MESSAGE_DEAD_LETTERED',
      workspaceId,
      activitySeq,
    });
  }

  /** Records that the agent has the message and answers later or not at all. */
  deliver(unit: UnitOfWork, message: MessageRow): Promise<boolean> {
    const change = { delivery_state: 'delivered', status: 'ok', lease_owner: null, lease_until: null };
    return this.#change(unit, message, change);
  }

  /** Puts a message back into the queue when its push was aborted or may be retried. */
  requeue(
    unit: UnitOfWork,
    message: MessageRow,
    next: { readonly attempts: number; readonly at: string | null },
  ): Promise<boolean> {
    return this.#change(unit, message, {
      delivery_state: 'pending',
      lease_owner: null,
      lease_until: null,
      attempts: next.attempts,
      next_attempt_at: next.at,
    });
  }

  /** Adds outcomes to feeds that a killed process had sent to held calls without a confirmation. */
  async recover(): Promise<void> {
    for (const id of await this.#options.store.listUnreceived()) await this.#enqueueUnreceived(id);
  }

  /**
   * Stores an outcome, reserved for the requests that wait for it. A caller that does not wait gets the outcome as a
   * message on its feed.
   */
  async #end(
    unit: UnitOfWork,
    before: MessageRow,
    outcome: Outcome,
    result: MessageChange,
    mustNotifyCaller: boolean,
    reply?: ReplyMessage,
  ): Promise<OutcomeDestination | undefined> {
    const reservation = this.#options.waiters.reserve(before.id);
    if (reservation !== undefined) unit.onRollback(() => reservation.release());
    const isReserved = reservation?.hasCaller === true;
    const isExpected =
      before.source_id !== null && (before.caller_receipt === 'expected' || mustNotifyCaller);
    const change = {
      ...result,
      delivery_state: outcome.state,
      caller_receipt: isExpected ? (isReserved ? 'sent' : 'received') : before.caller_receipt,
      lease_owner: null,
      lease_until: null,
      next_attempt_at: null,
      ended_at: timestamp(this.#options.clock),
    };
    if (!(await this.#change(unit, before, change))) {
      reservation?.release();
      return undefined;
    }
    const message: MessageRow = { ...before, ...change };
    for (const listener of this.#listeners) await listener(unit, message, outcome);
    if (isExpected && !isReserved) await this.#enqueueOutcome(unit, message, outcome, reply);
    unit.afterCommit(() => reservation?.send(outcome, (isReceived) => this.#confirm(message, isReceived)));
    return isReserved ? 'caller' : 'feed';
  }

  async #change(unit: UnitOfWork, message: MessageRow, change: MessageChange): Promise<boolean> {
    const { store, activity } = this.#options;
    const isChanged = await store.change(message, change, unit.trx);
    if (isChanged) await activity.announce(unit, message);
    return isChanged;
  }

  /** A waiting client received the outcome, or had disconnected before. */
  #confirm(message: MessageRow, isReceived: boolean): void {
    if (message.caller_receipt !== 'sent') return;
    if (isReceived) {
      this.#options.receipts.add(message.id);
      return;
    }
    this.#enqueueUnreceived(message.id).catch((error: unknown) => {
      const fields = { messageId: message.id, reason: String(error) };
      const text = "Failed to add an outcome to its caller's feed; it is retried after a restart";
      this.#options.logger.error(fields, text);
    });
  }

  #enqueueUnreceived(id: string): Promise<void> {
    return this.#options.database.transaction(async (unit) => {
      const message = await this.#options.store.claimUnreceived(id, unit.trx);
      const outcome = message === undefined ? undefined : storedOutcome(message);
      if (message !== undefined && outcome !== undefined) await this.#enqueueOutcome(unit, message, outcome);
    });
  }

  /**
   * Enqueues an outcome as a message to a caller that does not wait. It expects no answer, because it is itself one.
   */
  async #enqueueOutcome(
    unit: UnitOfWork,
    request: MessageRow,
    outcome: Outcome,
    reply?: ReplyMessage,
  ): Promise<void> {
    const { queue, workspaces } = this.#options;
    const callerId = request.source_id;
    const caller = callerId === null ? undefined : await workspaces.find(callerId, unit.trx);
    if (callerId === null || caller === undefined || caller.status === 'removed') return;
    const { messageId, view } = reply ?? outcomeMessage(request, outcome);
    await queue.enqueue(unit, {
      callerId: request.target_id,
      target: caller,
      view,
      messageId,
      inReplyTo: request.message_id,
      bodyHash: reply?.bodyHash ?? hashMessage(callerId, view.envelope),
      summary: `answer → ${caller.name}`,
      outcomeExpected: false,
      answersId: request.id,
      failure: outcome.state === 'failed' ? (outcome.error.error ?? 'delivery failed') : undefined,
    });
  }
}

function toolTraceOf(answer: JsonObject) {
  const result = answer.result;
  const metadata = isJsonObject(result) ? result.metadata : undefined;
  return isJsonObject(metadata) ? metadata.tool_trace : undefined;
}
