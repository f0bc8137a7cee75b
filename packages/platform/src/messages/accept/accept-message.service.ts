import { isEnded } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { Queryable, UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceRow } from '../../database/schema.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import type { HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { HttpError } from '../../http/http-error.ts';
import { CANVAS_CALLER } from '../../http/principal.ts';
import { timestamp } from '../../time/clock.ts';
import { parseRfc3339 } from '../../time/rfc3339.ts';
import { isDirect } from '../caller-keys.rules.ts';
import type { Continuations } from '../continuations.ts';
import { inContext } from '../conversation.rules.ts';
import { type DeliveryPlan, planDelivery, withoutDeadline } from '../delivery.rules.ts';
import type { InboxRoom } from '../inbox-room.ts';
import { type MessageRow, type MessageStore, withoutAnswer } from '../message.store.ts';
import { hashMessage } from '../message-hash.rules.ts';
import type { MessageQueue } from '../message-queue.ts';
import type { MisplacedReplies } from '../misplaced-replies.ts';
import { answerOfReply, messageExpired, messageIdConflict, requestIdOf } from '../outcome/outcome.rules.ts';
import type { OutcomeRecorder } from '../outcome/outcome-recorder.ts';
import { inTraceOf } from '../passed-headers.rules.ts';
import type { PushScheduler } from '../push/push-scheduler.ts';
import {
  type Acceptance,
  type AdmittedMessage,
  acceptedReply,
  type IncomingMessage,
  inboxFull,
  needsAnswer,
  type OnStored,
  questionClosed,
  unusedReply,
  withContext,
} from './acceptance.rules.ts';
import { asAcceptance } from './acceptance-telemetry.ts';
import { admit } from './admission.ts';
import { type AnswerRecorder, withAnswers } from './carried-answers.rules.ts';
import type { LoopGuard } from './loop-guard.ts';
import { UnmarkedReplies } from './unmarked-replies.ts';

/** Length of a time without its fraction: the last outbound message of a workspace is recorded once a second. */
const SECONDS = 'yyyy-mm-ddThh:mm:ss'.length;

export interface MessageAcceptanceOptions extends Pick<PlatformContext, 'clock' | 'database' | 'settings'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
  readonly outcomes: OutcomeRecorder;
  readonly loops: LoopGuard;
  readonly scheduler: PushScheduler;
  readonly continuations: Continuations;
  readonly room: InboxRoom;
  readonly misplaced: MisplacedReplies;
  readonly workspaces: WorkspaceDirectory;
  readonly hierarchy: HierarchyService;
}

/**
 * Accepts messages, each in one transaction. An accepted message survives a crash of the process; with
 * `synchronous: 'full'` also a power failure.
 */
export class MessageAcceptance {
  readonly #options: MessageAcceptanceOptions;
  readonly #unmarkedReplies: UnmarkedReplies;
  #recordAnswers: AnswerRecorder | undefined;

  constructor(options: MessageAcceptanceOptions) {
    this.#options = options;
    this.#unmarkedReplies = new UnmarkedReplies(options);
  }

  /** Sets who records the answers that messages carry; there is one. */
  recordAnswersWith(recorder: AnswerRecorder): void {
    this.#recordAnswers = recorder;
  }

  /** `onStored` runs after the commit and before the delivery, so that no answer is missed. */
  accept(given: IncomingMessage, onStored: OnStored): Promise<Acceptance> {
    return asAcceptance(given, (incoming) => this.#accept(incoming, onStored));
  }

  #accept(incoming: IncomingMessage, onStored: OnStored): Promise<Acceptance> {
    const { callerId, targetId, message } = incoming;
    const { view } = message;
    const bodyHash = hashMessage(targetId, view.envelope);
    return this.#options.database.transaction(async (unit) => {
      const parties = await admit(this.#options, { callerId, targetId }, unit);
      const given = { ...parties, callerId, message, bodyHash };
      const plan = await this.#plan(incoming, parties, unit.trx);
      const carries = view.metadata.answers !== undefined;
      const mayAnswer = carries || view.message.taskId !== undefined;
      if (mayAnswer && view.inReplyTo === '') return this.#storeWithAnswers(unit, given, plan, onStored);
      const admitted = carries ? { ...given, message: { ...message, view: withAnswers(view) } } : given;
      if (view.inReplyTo !== '') {
        const known = await this.#findRepeat(unit, admitted, plan);
        if (known !== undefined) return known;
        const question = await this.#findQuestion(unit, admitted);
        const acceptance = question && (await this.#reply(unit, admitted, question));
        if (acceptance !== undefined) return acceptance;
        return this.#store(unit, admitted, plan, onStored, question);
      }
      return this.#store(unit, admitted, plan, onStored);
    });
  }

  /** A call that is likely to be a reply is not held, because nobody answers it. */
  async #plan(
    { callerId, message, namesHold }: IncomingMessage,
    { caller, target }: Pick<AdmittedMessage, 'caller' | 'target'>,
    db: Queryable,
  ): Promise<DeliveryPlan> {
    const plan = planDelivery(target, message.view, callerId);
    if (plan !== 'wait' || namesHold || caller === undefined) return plan;
    return (await this.#unmarkedReplies.isLikely(caller, target, db)) ? 'store' : plan;
  }

  /** The result of an earlier copy; undefined when the message is new. 409 when the id was used for another one. */
  async #findRepeat(
    unit: UnitOfWork,
    { callerId, target, message, bodyHash }: AdmittedMessage,
    plan: DeliveryPlan,
  ): Promise<Acceptance | undefined> {
    const { store } = this.#options;
    const known = await store.findByCaller(callerId ?? CANVAS_CALLER, message.messageId, unit.trx);
    if (known === undefined) return undefined;
    if (known.body_hash !== bodyHash) throw messageIdConflict(known);
    if (known.answers_id === null) return { kind: 'message', row: withoutAnswer(known), target, plan };
    const answered = await store.find(known.answers_id, unit.trx);
    const inReplyTo = answered?.message_id ?? (message.view.inReplyTo || known.message_id);
    const destination = known.workspace_id === null ? 'caller' : 'feed';
    return acceptedReply(known.message_id, inReplyTo, destination, true);
  }

  /** The message that a reply names, if its target has sent it to the caller. 400 for a reply sent to its own sender. */
  async #findQuestion(
    unit: UnitOfWork,
    { callerId, caller, target, message }: AdmittedMessage,
  ): Promise<MessageRow | undefined> {
    if (callerId === null) return undefined;
    const { misplaced, store } = this.#options;
    const { inReplyTo } = message.view;
    const question = await store.findAnswered(target.id, callerId, inReplyTo, unit.trx);
    if (question === undefined && callerId === target.id) {
      await misplaced.checkOwn({ workspaceId: target.id, reference: inReplyTo }, unit.trx);
    }
    const visibleSeq = Number(caller?.visible_seq ?? Number.POSITIVE_INFINITY);
    // What is stored during a pause does not exist for its agent.
    return question?.direction === 'in' && Number(question.seq) > visibleSeq ? undefined : question;
  }

  /**
   * Makes the message the answer of the message it names. When that one has ended, its state decides: after a failure
   * the reply is a message of its own (undefined); nobody waits for it after an expiry (410) or a cancellation; else
   * the first end counts.
   */
  async #reply(
    unit: UnitOfWork,
    admitted: AdmittedMessage,
    question: MessageRow,
  ): Promise<Acceptance | undefined> {
    const { outcomes, queue } = this.#options;
    const { callerId, target, message, bodyHash } = admitted;
    const { messageId, view } = message;
    let current: MessageRow | undefined = question;
    while (current !== undefined && callerId !== null) {
      const { delivery_state: state, message_id: inReplyTo } = current;
      if (state === 'expired') throw messageExpired(current);
      if (state === 'canceled') {
        return { kind: 'reply', body: { ignored: true, message_id: messageId, in_reply_to: inReplyTo } };
      }
      if (state === 'failed' || (isEnded(state) && !needsAnswer(current))) return undefined;
      if (isEnded(state)) return unusedReply(messageId, current);
      const { refusal } = this.#options.loops.checkReply(current);
      if (refusal !== undefined) {
        this.#options.loops.report({ callerId, targetId: target.id }, refusal);
        throw refusal;
      }
      if (isDirect(current)) {
        // The caller recorded that message itself, so its reply counts like any message.
        const full = await this.#options.room.check(target.id, callerId, unit.trx);
        if (full !== undefined) throw inboxFull(full);
      }
      const context = current.context_id ?? view.contextId;
      const reply = { view: inContext(view, context), messageId, bodyHash, headers: message.headers };
      const answer = answerOfReply(reply.view, requestIdOf(current));
      const destination = await outcomes.endMessage(unit, current, { state: 'answered', answer }, { reply });
      if (destination !== undefined) {
        if (destination === 'caller') {
          await queue.recordReply(unit, { ...reply, callerId, targetId: target.id, answersId: current.id });
        }
        return acceptedReply(messageId, inReplyTo, destination, false);
      }
      current = await this.#findQuestion(unit, admitted);
    }
    return undefined;
  }

  /** A message that carries answers, or continues a task: it delivers them when it is the last one that was missing. */
  async #storeWithAnswers(
    unit: UnitOfWork,
    admitted: AdmittedMessage,
    plan: DeliveryPlan,
    onStored: OnStored,
  ): Promise<Acceptance> {
    const { queue } = this.#options;
    const { callerId, target, message, bodyHash } = admitted;
    const { headers, messageId, view } = message;
    // Before the answers are recorded, because by then the questions are closed.
    const repeat = await this.#findRepeat(unit, admitted, plan);
    if (repeat !== undefined) return repeat;
    const carried = await this.#recordAnswers?.(unit, { callerId, targetId: target.id, view });
    if (carried?.kind === 'recorded') {
      // It may make the platform write messages to the target, so it counts as one.
      const sent = { callerId, targetId: target.id, view, question: undefined };
      const loop = await this.#options.loops.check(unit, sent);
      const refusal = loop.refusal ?? (await this.#refusal(admitted, 'store', unit.trx));
      if (loop.refusal !== undefined) this.#options.loops.report(sent, loop.refusal);
      if (refusal !== undefined) throw refusal;
      loop.stored(unit);
      const recorded = { callerId, targetId: target.id, view: withAnswers(view), messageId, bodyHash };
      const row = await queue.recordHandled(unit, recorded);
      return { kind: 'message', row, target, plan: 'store' };
    }
    if (carried?.kind !== 'complete') {
      const plain = { headers, messageId, view: withAnswers(view) };
      return this.#store(unit, { ...admitted, message: plain }, plan, onStored);
    }
    const { continues, answers } = carried;
    const complete = { headers, messageId, view: withAnswers(view, answers) };
    return this.#store(unit, { ...admitted, continues, message: complete }, plan, onStored);
  }

  async #store(
    unit: UnitOfWork,
    admitted: AdmittedMessage,
    plan: DeliveryPlan,
    onStored: OnStored,
    question?: MessageRow,
  ): Promise<Acceptance> {
    const { clock, continuations, loops, outcomes, queue, scheduler } = this.#options;
    const { callerId, caller, target, bodyHash, continues } = admitted;
    const { headers, messageId } = admitted.message;
    const given = withContext(admitted, (question ?? continues)?.context_id ?? undefined);
    const view = question === undefined ? given : withoutDeadline(given);
    const sent = { callerId, targetId: target.id, view, question, continues };
    const loop = await loops.check(unit, sent);
    const refusal = loop.refusal ?? (await this.#refusal(admitted, plan, unit.trx));
    if (refusal !== undefined) {
      // A repeat of an accepted message is not refused.
      const repeat = await this.#findRepeat(unit, admitted, plan);
      if (repeat !== undefined) return repeat;
      if (loop.refusal !== undefined) loops.report(sent, loop.refusal);
      throw refusal;
    }
    const isOver = (parseRfc3339(view.deadline) ?? Number.POSITIVE_INFINITY) <= clock.now();
    const lease = plan === 'push' && !isOver ? await scheduler.reserve(unit, target.id) : undefined;
    const row = await queue.enqueue(unit, {
      callerId,
      target,
      view,
      messageId,
      headers: inTraceOf(headers, question ?? continues),
      inReplyTo: view.inReplyTo,
      bodyHash,
      path: loop.path,
      summary: `${view.method} → ${target.name}`,
      lease,
      continuesId: continues?.id,
      // People get answers by an event, and answers need no answer, so neither outcome goes to a feed.
      outcomeExpected: callerId !== null && view.expectsAnswer,
    });
    if (row === undefined) {
      if (lease !== undefined) unit.afterCommit(() => scheduler.release(target.id));
      const repeat = await this.#findRepeat(unit, admitted, plan);
      if (repeat === undefined) throw new Error('The message is neither new nor a repeat.');
      return repeat;
    }
    loop.stored(unit);
    if (continues !== undefined && !(await continuations.resume(unit, continues, row)))
      throw questionClosed();
    await this.#recordOutbound(caller, unit.trx);
    if (isOver) {
      await outcomes.endMessage(unit, row, { state: 'expired' }, { isKnownToCaller: true });
      return { kind: 'message', row, target, plan: 'store' };
    }
    unit.afterCommit(() => {
      onStored(row, plan);
      if (lease !== undefined) scheduler.push(row, { caller, target, view });
    });
    return { kind: 'message', row, target, plan };
  }

  /** The error when the target accepts no new message now. */
  async #refusal(
    { callerId, target }: AdmittedMessage,
    plan: DeliveryPlan,
    db: Queryable,
  ): Promise<HttpError | undefined> {
    const { room, scheduler } = this.#options;
    const { monthly_spend: spent, budget_limit: limit } = target;
    if (limit !== null && spent >= limit) {
      return new HttpError(402, 'budget_exceeded', 'workspace budget limit exceeded');
    }
    if (plan === 'push' && scheduler.isEmpty(target.id)) return undefined;
    const full = await room.check(target.id, callerId ?? CANVAS_CALLER, db);
    return full && inboxFull(full);
  }

  async #recordOutbound(caller: WorkspaceRow | undefined, db: Queryable): Promise<void> {
    const now = timestamp(this.#options.clock);
    if (caller === undefined || caller.last_outbound_at?.slice(0, SECONDS) === now.slice(0, SECONDS)) return;
    await this.#options.workspaces.change(caller, { last_outbound_at: now }, db);
  }
}
