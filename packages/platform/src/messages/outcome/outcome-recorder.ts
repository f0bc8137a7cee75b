import {
  type ErrorBody,
  isEnded,
  type JsonObject,
  type Outcome as OutcomeReport,
  type OutcomeReceipt as ReportReceipt,
} from '@molecule-ai/protocol';
import type { ActivityService } from '../../activity/activity.service.ts';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceRow } from '../../database/schema.ts';
import { timestamp } from '../../time/clock.ts';
import type { MessageChange, MessageRow, MessageStore } from '../message.store.ts';
import {
  deliveryFailure,
  type MessageEnd,
  messageStateOf,
  type Outcome,
  outcomeMessage,
  reportedEnd,
} from './outcome.rules.ts';
import {
  columnsOf,
  contextualise,
  ENDED,
  isAwaited,
  isMadeByPlatform,
  NOT_QUEUED,
} from './outcome-columns.rules.ts';
import type { OutcomeDelivery } from './outcome-delivery.ts';
import type {
  AnswerInterceptor,
  EndDetails,
  EndListener,
  InterruptionDetails,
  OutcomeDestination,
} from './outcome-hooks.ts';
import { reportOutcome } from './outcome-telemetry.ts';
import type { OutcomeReservation, OutcomeWaiters } from './outcome-waiters.ts';

const BATCH = 200;

export interface OutcomeRecorderOptions extends Pick<PlatformContext, 'clock' | 'events'> {
  readonly store: MessageStore;
  readonly waiters: OutcomeWaiters;
  readonly delivery: OutcomeDelivery;
  readonly activity: ActivityService;
}

/**
 * The only place where a message changes its state after it was stored. Each method writes only if the message is
 * still as it was read, and returns undefined or false when it is not, so that a message ends exactly once.
 */
export class OutcomeRecorder {
  readonly #options: OutcomeRecorderOptions;
  readonly #listeners: EndListener[] = [];
  #interceptor: AnswerInterceptor | undefined;

  constructor(options: OutcomeRecorderOptions) {
    this.#options = options;
  }

  /** Registers who is called in the transaction of each end, after it was written. */
  onEnd(listener: EndListener): void {
    this.#listeners.push(listener);
  }

  /** Sets who decides whether an answer is a question; there is one. */
  interceptAnswers(interceptor: AnswerInterceptor): void {
    this.#interceptor = interceptor;
  }

  /**
   * Ends a message and releases whoever waits for it. A caller that does not wait gets an answer, a failure or an
   * expiry as a message on its feed; of the other ends it learns when it asks. Undefined when the message had ended
   * or was changed since it was read: read it again and decide anew.
   */
  async endMessage(
    unit: UnitOfWork,
    message: MessageRow,
    end: MessageEnd,
    { durationMs, reply, isKnownToCaller = false, isStoredBelow = false }: EndDetails = {},
  ): Promise<OutcomeDestination | undefined> {
    if (isEnded(message.delivery_state)) return undefined;
    if (end.state === 'answered') {
      const interruption = await this.#interceptor?.(unit, message, end.answer, reply);
      if (interruption !== undefined) return interruption === 'changed' ? undefined : interruption;
    }
    const { clock, delivery, events } = this.#options;
    const at = timestamp(clock);
    const outcome: Outcome = { ...contextualise(end, message), at };
    const reservation = this.#reserve(unit, message);
    const isReserved = reservation?.hasCaller === true;
    // Of a message in between its sender learns by the last one, which it sent or which ends the first one.
    const isSilent = isKnownToCaller || isStoredBelow;
    const feedMessage = isSilent ? undefined : (reply ?? outcomeMessage(message, outcome));
    const isExpected = feedMessage !== undefined && isAwaited(message, reply);
    const columns = columnsOf(outcome);
    const change = {
      ...columns,
      ...(isStoredBelow ? { response_body: null } : {}),
      duration_ms: durationMs ?? Math.max(0, clock.now() - Date.parse(message.created_at)),
      caller_receipt: isExpected ? (isReserved ? 'sent' : 'received') : message.caller_receipt,
      ...ENDED,
      ended_at: at,
      changed_at: at,
    };
    if (!(await this.#options.store.change(message, change, unit.trx))) {
      reservation?.release();
      return undefined;
    }
    const ended: MessageRow = { ...message, ...change };
    this.#options.activity.grew(unit, message.target_id, ended.response_body?.length ?? 0);
    for (const listener of this.#listeners) await listener(unit, ended, outcome, message.delivery_state);
    if (isExpected && !isReserved) await delivery.enqueue(unit, ended, feedMessage);
    const { target_id: workspaceId, seq: activitySeq } = message;
    await events.append(unit, { type: 'MESSAGE_ENDED', workspaceId, activitySeq });
    if (outcome.state === 'answered' && message.source_id === null && !isStoredBelow) {
      await events.append(unit, { type: 'A2A_RESPONSE', workspaceId, activitySeq });
    }
    unit.afterCommit(() => {
      reservation?.send(outcome, columns.response_body?.length ?? 0, delivery.confirmation(ended));
      reportOutcome(ended, outcome, clock.now());
    });
    return isReserved || isMadeByPlatform(message) ? 'caller' : 'feed';
  }

  /** Ends a message in whatever open state it is by now; false when it has ended or is gone. */
  async endById(unit: UnitOfWork, id: string, end: MessageEnd, details?: EndDetails): Promise<boolean> {
    for (;;) {
      const message = await this.#options.store.find(id, unit.trx);
      if (message === undefined || isEnded(message.delivery_state)) return false;
      if ((await this.endMessage(unit, message, end, details)) !== undefined) return true;
    }
  }

  /**
   * Interrupts a message by the questions of its agent: whoever waits is released, and the message stays open until
   * `expiresAt`. A caller that does not wait gets the text as a message on its feed. Undefined as for `endMessage`.
   */
  async requireInput(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    { expiresAt, reply, isKnownToCaller = false, isStoredBelow = false }: InterruptionDetails,
  ): Promise<OutcomeDestination | undefined> {
    if (isEnded(message.delivery_state)) return undefined;
    const { clock, delivery, store } = this.#options;
    const at = timestamp(clock);
    const outcome: Outcome = { state: 'input_required', answer, at };
    const reservation = this.#reserve(unit, message);
    const isReserved = reservation?.hasCaller === true;
    const isExpected = !isKnownToCaller && isAwaited(message, reply);
    const receipt = isReserved ? 'sent' : 'expected';
    const body = JSON.stringify(answer);
    const change = {
      delivery_state: 'input_required',
      status: 'pending',
      response_body: isStoredBelow ? null : body,
      ...NOT_QUEUED,
      // Who was asked about a message gets its end, also one that expected no answer.
      caller_receipt: isExpected ? receipt : message.caller_receipt,
      expires_at: expiresAt,
      changed_at: at,
    };
    const isChanged = isStoredBelow
      ? await store.change(message, change, unit.trx)
      : await this.#change(unit, message, change);
    if (!isChanged) {
      reservation?.release();
      return undefined;
    }
    const interrupted: MessageRow = { ...message, ...change };
    const isOnFeed = isExpected && !isReserved;
    if (isOnFeed) {
      const question = outcomeMessage(message, outcome);
      // The row of a reply has the id of the reply, so that a repeat of it is recognised.
      const { messageId, bodyHash, headers = {} } = reply ?? {};
      const own = messageId === undefined || bodyHash === undefined ? {} : { messageId, bodyHash, headers };
      await delivery.enqueue(unit, interrupted, question && { ...question, ...own });
    }
    unit.afterCommit(() => {
      reservation?.send(outcome, body.length, delivery.confirmation(interrupted));
      reportOutcome(interrupted, outcome, clock.now());
    });
    return isOnFeed && reply !== undefined ? 'feed' : 'caller';
  }

  /** The questions are answered: the message is with its agent again, in the form of another one, until `expiresAt`. */
  resume(
    unit: UnitOfWork,
    message: MessageRow,
    {
      continuedBy,
      expiresAt,
      isSilent = false,
    }: { readonly continuedBy: string; readonly expiresAt: string; readonly isSilent?: boolean },
  ): Promise<boolean> {
    const { clock, store } = this.#options;
    const change = {
      delivery_state: 'delivered',
      response_body: null,
      expires_at: expiresAt,
      continued_by: continuedBy,
    };
    if (!isSilent) return this.#change(unit, message, change);
    return store.change(message, { changed_at: timestamp(clock), ...change }, unit.trx);
  }

  /** Records that the agent has the message and answers later or not at all. */
  deliver(unit: UnitOfWork, message: MessageRow): Promise<boolean> {
    return this.#change(unit, message, { delivery_state: 'delivered', status: 'ok', ...NOT_QUEUED });
  }

  /** Puts a message back into the queue when its push was aborted or may be retried; `error` says why it failed. */
  requeue(
    unit: UnitOfWork,
    message: MessageRow,
    next: { readonly attempts: number; readonly at: string | null; readonly error?: ErrorBody | undefined },
  ): Promise<boolean> {
    return this.#change(unit, message, {
      delivery_state: 'pending',
      lease_owner: null,
      lease_until: null,
      attempts: next.attempts,
      next_attempt_at: next.at,
      ...(next.error === undefined ? {} : { failure: JSON.stringify(deliveryFailure(next.error)) }),
    });
  }

  /**
   * Records what an agent reports about a message of its feed, and returns the state of the message then. Whatever is
   * reported as the end of a message whose time is over, it has expired.
   */
  async report(
    unit: UnitOfWork,
    { id: workspaceId, visible_seq: visibleSeq }: Pick<WorkspaceRow, 'id' | 'visible_seq'>,
    report: OutcomeReport,
  ): Promise<ReportReceipt> {
    const { activity_id: id } = report;
    const lastSeq = Number(visibleSeq ?? Number.POSITIVE_INFINITY);
    const reported = reportedEnd(report);
    for (;;) {
      const message = await this.#options.store.find(id.toLowerCase(), unit.trx);
      const isOther = message?.workspace_id !== workspaceId || message.message_id === null;
      if (isOther || Number(message.seq) > lastSeq) return { activity_id: id, state: 'unknown' };
      const state = messageStateOf(message);
      const { clock } = this.#options;
      const isOverdue = message.expires_at !== null && message.expires_at <= timestamp(clock);
      const end: MessageEnd | undefined = reported && isOverdue ? { state: 'expired' } : reported;
      // A run that asked has ended; the message has not, and ends as the one that continues it.
      if (message.continued_by !== null) return { activity_id: id, state };
      const isAsking = state === 'input_required' && (end === undefined || end.state === 'unanswered');
      if (isEnded(state) || isAsking) return { activity_id: id, state };
      if (end === undefined) {
        const isTaken = state === 'delivered';
        const change = { delivery_state: 'acknowledged', status: 'ok', ...NOT_QUEUED };
        if (isTaken || (await this.#change(unit, message, change)))
          return { activity_id: id, state: 'delivered' };
      } else if ((await this.endMessage(unit, message, end)) !== undefined) {
        return { activity_id: id, state: end.state };
      }
    }
  }

  /**
   * The agent has finished everything up to a place in its feed: what has neither an answer nor an outcome ends as
   * `unanswered`, unless its time is over: that one is about to expire. A message that is being pushed at the moment stays
   * open for the answer to that push. Returns how many waiting messages there were.
   */
  async acknowledge(unit: UnitOfWork, workspaceId: string, seq: number): Promise<number> {
    const { clock, events, store, waiters } = this.#options;
    const at = timestamp(clock);
    const outcome: Outcome = { state: 'unanswered', at };
    const taken = { delivery_state: 'acknowledged', status: 'ok', ...NOT_QUEUED, changed_at: at };
    let count = await store.changeLeasedUpTo(workspaceId, seq, taken, unit.trx);
    const change = { ...columnsOf(outcome), ...ENDED, ended_at: at, changed_at: at };
    for (;;) {
      const ended = await store.changePendingUpTo(
        workspaceId,
        seq,
        change,
        { limit: BATCH, now: at },
        unit.trx,
      );
      count += ended.length;
      for (const message of ended) {
        const reservation = waiters.reserve(message.id);
        if (reservation !== undefined) {
          unit.onRollback(() => reservation.release());
          unit.afterCommit(() => reservation.send(outcome, 0, () => {}));
        }
        for (const listener of this.#listeners) await listener(unit, message, outcome, 'pending');
        unit.afterCommit(() => reportOutcome(message, outcome, clock.now()));
      }
      const announced = ended.map((message) => ({
        type: 'MESSAGE_ENDED' as const,
        workspaceId,
        activitySeq: message.seq,
      }));
      await events.appendMany(unit, announced);
      if (ended.length < BATCH) return count;
    }
  }

  /** Reserves the outcome of a message for whoever waits for it, until the transaction ends. */
  #reserve(unit: UnitOfWork, { id }: MessageRow): OutcomeReservation | undefined {
    const reservation = this.#options.waiters.reserve(id);
    if (reservation !== undefined) unit.onRollback(() => reservation.release());
    return reservation;
  }

  async #change(unit: UnitOfWork, message: MessageRow, change: MessageChange): Promise<boolean> {
    const { clock, store, activity } = this.#options;
    const isChanged = await store.change(message, { changed_at: timestamp(clock), ...change }, unit.trx);
    if (isChanged) await activity.announce(unit, message);
    return isChanged;
  }
}
