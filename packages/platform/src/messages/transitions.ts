import { isEnded } from '@molecule-ai/protocol';
import type { FeedWriter } from '../activity/feed-writer.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { MessageRow } from '../database/schema.ts';
import { knownCode, messageEnded, outcomes } from '../telemetry/telemetry.ts';
import {
  finishedColumns,
  type MessageEvent,
  next,
  type OutcomeDestination,
  type Step,
  takenColumns,
} from './life.ts';
import { ACKNOWLEDGED_AT_ONCE, type MessageHead, type MessageStore } from './message.store.ts';
import { type MessageEnd, type Outcome, requestIdOf } from './outcome.ts';
import { type OutcomeFeed, outcomeMessage, type ReplyMessage } from './outcome-feed.ts';
import type { QuestionStore } from './questions/questions.store.ts';
import type { MessageQueue } from './queue.ts';
import { storedHeaders, traceOf } from './request.ts';
import type { AnswerStreams } from './streams/answer-streams.ts';
import type { OutcomeReservation, OutcomeWaiters } from './waiters.ts';

/** How an event came about. */
export interface EventDetails {
  /** The message that is the answer; it is delivered even to a caller that expected none. */
  readonly reply?: ReplyMessage | undefined;
  /** The caller learns of it in the response to this very request, so nothing is put on its feed. */
  readonly isKnown?: boolean;
  /** The answer is stored with the message that continues this one and not again with this one. */
  readonly isBelow?: boolean;
}

/** A message after an event, and where its caller gets the outcome, if there is one. */
interface Applied {
  readonly message: MessageRow;
  readonly deliveredTo: OutcomeDestination;
}

/** What changes messages, and what the ways in and out of them use besides. */
export interface MessageParts extends PlatformContext {
  readonly feed: FeedWriter;
  readonly outcomeFeed: OutcomeFeed;
  readonly questionStore: QuestionStore;
  readonly queue: MessageQueue;
  readonly store: MessageStore;
  readonly streams: AnswerStreams;
  readonly transitions: Transitions;
  readonly waiters: OutcomeWaiters;
}

/**
 * The only place where a message changes its state after it was stored: `next` of life.ts says what an event makes of it, and this writes
 * that, if the message is still as it was read, and does what follows. Each method returns undefined when it is not, or when the event
 * changes nothing: read the message again and decide anew. So a message ends exactly once.
 */
export class Transitions {
  readonly #options: Omit<MessageParts, 'transitions'>;

  constructor(options: Omit<MessageParts, 'transitions'>) {
    this.#options = options;
  }

  /** Applies an event. */
  async apply(
    unit: UnitOfWork,
    message: MessageRow,
    event: MessageEvent,
    { reply, isKnown, isBelow }: EventDetails = {},
  ): Promise<Applied | undefined> {
    const { events, outcomeFeed, queue, store, waiters } = this.#options;
    const hasOutcome = event.kind === 'end' || event.kind === 'ask';
    const reservation =
      hasOutcome && !isEnded(message.delivery_state) ? waiters.reserve(message.id) : undefined;
    if (reservation !== undefined) unit.onRollback(reservation.release);
    const step = next(message, event, {
      now: unit.now,
      at: unit.at,
      isHeld: reservation?.hasCaller === true,
      isReply: reply !== undefined,
      isKnown: isKnown === true,
      isBelow: isBelow === true,
    });
    if (step === undefined || !(await store.write(message, step.change, unit.trx))) {
      reservation?.release();
      return undefined;
    }
    const { change, outcome } = step;
    const changed: MessageRow = { ...message, ...change };
    const { expires_at: expiresAt } = change;
    if (typeof expiresAt === 'string') unit.afterCommit(() => queue.onExpiring(expiresAt));
    if (event.kind === 'end' && outcome !== undefined)
      await this.#followEnd(unit, changed, outcome, message.delivery_state);
    if (step.isForFeed && outcome !== undefined) {
      await outcomeFeed.enqueue(unit, changed, feedMessageOf(changed, outcome, event.kind, reply));
    }
    const { target_id: workspaceId, seq: activitySeq, direction } = message;
    for (const type of step.announced) {
      await events.append(unit, { type, workspaceId, activitySeq, direction });
    }
    if (outcome !== undefined) this.#release(unit, changed, step, outcome, reservation);
    return { message: changed, deliveredTo: step.deliveredTo };
  }

  /** Ends a message. */
  end(
    unit: UnitOfWork,
    message: MessageRow,
    end: MessageEnd,
    { durationMs, ...details }: EventDetails & { readonly durationMs?: number } = {},
  ): Promise<Applied | undefined> {
    const event = durationMs === undefined ? { kind: 'end', end } : { kind: 'end', end, durationMs };
    return this.apply(unit, message, event as MessageEvent, details);
  }

  /**
   * The agent has finished everything up to a place in its feed: what has neither an answer nor an outcome ends as
   * `unanswered`, unless its time is over: that one is about to expire. A message that is being pushed at the moment stays
   * open for the answer to that push. Returns how many waiting messages there were.
   */
  async finishUpTo(unit: UnitOfWork, workspaceId: string, seq: number): Promise<number> {
    const { events, store, waiters } = this.#options;
    const { at, now, trx } = unit;
    const outcome: Outcome = { state: 'unanswered', at };
    const place = { workspaceId, seq, now: at };
    let count = await store.writeLeasedUpTo(place, takenColumns(at), trx);
    for (;;) {
      const ended = await store.writePendingUpTo(place, finishedColumns(at), trx);
      count += ended.length;
      for (const message of ended) {
        const reservation = waiters.reserve(message.id);
        if (reservation !== undefined) unit.onRollback(reservation.release);
        await this.#followEnd(unit, message, outcome, 'pending');
        unit.afterCommit(() => {
          reservation?.send(outcome, 0, () => {});
          reportOutcome(message, outcome, now);
        });
      }
      const announced = ended.map((message) => ({
        type: 'MESSAGE_ENDED' as const,
        workspaceId,
        activitySeq: message.seq,
      }));
      await events.append(unit, ...announced);
      if (ended.length < ACKNOWLEDGED_AT_ONCE) return count;
    }
  }

  /** What follows from each end: its questions close, what it continues ends as well, and so does the stream of its answer. */
  async #followEnd(unit: UnitOfWork, message: MessageHead, outcome: Outcome, was: string): Promise<void> {
    const { questionStore, store, streams } = this.#options;
    if (was === 'input_required') await questionStore.close(message.id, unit.trx);
    if (streams.find(message.id) !== undefined) unit.afterCommit(() => streams.end(message.id));
    const { continues_id: id } = message;
    while (id !== null) {
      const above = await store.find({ id }, unit.trx);
      if (above === undefined || isEnded(above.delivery_state)) return;
      // People and the feed read the first message, so the answer is stored there too.
      const details = { isBelow: above.continues_id !== null };
      if ((await this.end(unit, above, endFor(above, outcome), details)) !== undefined) return;
    }
  }

  /** After the commit: gives the outcome to those who wait for it. */
  #release(
    unit: UnitOfWork,
    message: MessageRow,
    { change }: Step,
    outcome: Outcome,
    reservation: OutcomeReservation | undefined,
  ): void {
    const { feed, outcomeFeed } = this.#options;
    const bytes = change.response_body?.length ?? 0;
    if (outcome.state !== 'input_required') feed.grew(unit, message.target_id, bytes);
    unit.afterCommit(() => {
      reservation?.send(outcome, bytes, outcomeFeed.confirmation(message));
      reportOutcome(message, outcome, unit.now);
    });
  }
}

/** The message that brings an outcome to its caller. */
function feedMessageOf(
  message: MessageRow,
  outcome: Outcome,
  kind: MessageEvent['kind'],
  reply: ReplyMessage | undefined,
) {
  if (kind === 'end' && reply !== undefined) return reply;
  const made = outcomeMessage(message, outcome);
  if (made === undefined || reply === undefined) return made;
  // The row of a reply has the id of the reply, so that a repeat of it is recognised.
  const { messageId, bodyHash, headers = {} } = reply;
  return { ...made, messageId, bodyHash, headers };
}

/** The end of a message that ends as another one, under its own JSON-RPC id. */
function endFor(message: MessageRow, end: Outcome): MessageEnd {
  switch (end.state) {
    case 'answered':
      return { state: 'answered', answer: { ...end.answer, id: requestIdOf(message) } };
    case 'failed': {
      const { failure, response } = end;
      return { state: 'failed', failure, ...(response === undefined ? {} : { response }) };
    }
    case 'input_required':
      throw new Error('A question ends no message.');
    default:
      return { state: end.state };
  }
}

/** Reports the end of a message, or that questions interrupt it, to telemetry. */
function reportOutcome(message: MessageHead, outcome: Outcome, now: number): void {
  const { state } = outcome;
  if (state !== 'input_required') {
    const lastedMs = Math.max(0, now - Date.parse(message.created_at));
    messageEnded(lastedMs / 1_000, { 'molecule.state': state });
  }
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.message.id': message.message_id,
    'molecule.activity.id': message.id,
    'molecule.workspace.id': message.target_id,
    'molecule.caller.id': message.source_id ?? undefined,
    'molecule.state': state,
  });
  const trace = message.passed_headers === null ? null : traceOf(storedHeaders(message));
  const { failure } = { failure: undefined, ...outcome };
  const code = failure?.kind === 'delivery' ? knownCode(failure.error.code) : 'agent_failed';
  outcomes.start('molecule outcome', facts, trace).end({}, state === 'failed' ? code : undefined);
}
