import { randomUUID } from 'node:crypto';
import {
  isEnded,
  isJsonObject,
  type JsonObject,
  type MessageView,
  type ReplyAccepted,
  type ReplyIgnored,
  toA2a03Request,
  viewMessage,
  withoutPlatformWordsIn,
  withoutReply,
} from '@molecule-ai/protocol';
import { acknowledges, acknowledgingSince } from '../../activity/reading-positions.ts';
import type { PlatformContext } from '../../context.ts';
import type { Queryable, UnitOfWork } from '../../database/platform-database.ts';
import { CANVAS_CALLER, type MessageRow, type WorkspaceRow } from '../../database/schema.ts';
import { requireAlive } from '../../directory/workspace-directory.ts';
import { accessDenied, type HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { HttpError } from '../../http/http-error.ts';
import { acceptances, knownCode } from '../../telemetry/telemetry.ts';
import { parseRfc3339 } from '../../time/clock.ts';
import { type DeliveryPlan, planDelivery } from '../delivery.rules.ts';
import type { OutcomeDestination } from '../life.ts';
import { type FeedReference, isDirect, withoutAnswer } from '../message.store.ts';
import { messageExpired, messageIdConflict, messageStateOf, requestIdOf } from '../outcome.ts';
import type { PushScheduler } from '../push/push-scheduler.ts';
import { withAnswers } from '../questions/questions.rules.ts';
import type { QuestionsService } from '../questions/questions.service.ts';
import type { InboxRefusal } from '../queue.ts';
import {
  hashMessage,
  inContext,
  inTraceOf,
  type NormalMessage,
  originalOf,
  traceOf,
  withoutDeadline,
  withTrace,
} from '../request.ts';
import type { MessageParts } from '../transitions.ts';
import { LoopGuard } from './loop-guard.ts';

/** A received message. */
export interface IncomingMessage {
  /** The calling workspace; null for people and operators. */
  readonly callerId: string | null;
  readonly targetId: string;
  readonly message: NormalMessage;
  /** Whether the caller says itself how long it waits. */
  readonly namesHold: boolean;
}

/** A message whose caller may write to its target, with both rows as read in its transaction. */
interface AdmittedMessage {
  readonly callerId: string | null;
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
  readonly message: NormalMessage;
  readonly bodyHash: string;
  /** The message whose questions it answers. */
  readonly continues?: MessageRow;
}

/** The result of accepting a message. */
type Acceptance =
  /** It answered another message. */
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  | {
      readonly kind: 'message';
      /** Without the answer, which is long, when it is a repeat. */
      readonly row: MessageRow;
      /** The target as it was when the message was stored. */
      readonly target: WorkspaceRow;
      readonly plan: DeliveryPlan;
    };

/** Called after the commit of a new message. */
type OnStored = (row: MessageRow, plan: DeliveryPlan) => void;

/** Length of a time without its fraction: the last outbound message of a workspace is recorded once a second. */
const SECONDS = 'yyyy-mm-ddThh:mm:ss'.length;

interface MessageAcceptanceOptions extends MessageParts {
  readonly hierarchy: HierarchyService;
  readonly questions: QuestionsService;
  readonly scheduler: PushScheduler;
}

/**
 * Accepts messages, each in one transaction. An accepted message survives a crash of the process; with
 * `synchronous: 'full'` also a power failure.
 */
export class MessageAcceptance {
  readonly #options: MessageAcceptanceOptions;
  readonly #loops: LoopGuard;

  constructor(options: MessageAcceptanceOptions) {
    this.#options = options;
    this.#loops = new LoopGuard(options);
  }

  /**
   * Accepts a message as an operation, of which the message then names the span as its parent. `onStored` runs after the commit and before
   * the delivery, so that no answer is missed.
   */
  async accept(incoming: IncomingMessage, onStored: OnStored): Promise<Acceptance> {
    const { callerId, targetId, message } = incoming;
    const facts = () => ({
      'messaging.system': 'molecule',
      'messaging.operation.type': 'create',
      'messaging.message.id': message.messageId,
      'molecule.source': callerId === null ? 'canvas_user' : 'peer_agent',
      'molecule.caller.id': callerId ?? undefined,
      'molecule.workspace.id': targetId,
      'molecule.text.length': message.view.text.length,
    });
    const operation = acceptances.start('molecule accept', facts, traceOf(message.headers) ?? undefined);
    const headers = withTrace(message.headers, operation.trace);
    try {
      const acceptance = await operation.run(() =>
        this.#accept({ ...incoming, message: { ...message, headers } }, onStored),
      );
      const isMessage = acceptance.kind === 'message';
      operation.end({
        'molecule.outcome': isMessage ? acceptance.plan : 'reply',
        'molecule.activity.id': isMessage ? acceptance.row.id : undefined,
      });
      return acceptance;
    } catch (error) {
      const code = error instanceof HttpError ? knownCode(error.code) : 'internal_error';
      operation.end({ 'molecule.outcome': 'refused' }, code);
      throw error;
    }
  }

  #accept(incoming: IncomingMessage, onStored: OnStored): Promise<Acceptance> {
    const { callerId, targetId, message } = incoming;
    const { view } = message;
    const bodyHash = hashMessage(targetId, view.envelope);
    const { database } = this.#options;
    return database.transaction(async (unit) => {
      const parties = await admit(this.#options, { callerId, targetId }, unit);
      const given = { ...parties, callerId, message, bodyHash };
      const { caller, target } = parties;
      let plan = planDelivery(target, view, callerId);
      if (plan === 'wait' && !incoming.namesHold && caller !== undefined) {
        // A call that is likely to be a reply is not held, because nobody answers it.
        if (await this.#isLikelyReply(caller, target, unit.trx)) plan = 'store';
      }
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
        return this.#store(unit, withKnownReply(admitted, question), plan, onStored, question);
      }
      return this.#store(unit, admitted, plan, onStored);
    });
  }

  /** The result of an earlier copy; undefined when the message is new. 409 when the id was used for another one. */
  async #findRepeat(
    unit: UnitOfWork,
    { callerId, target, message, bodyHash }: AdmittedMessage,
    plan: DeliveryPlan,
  ): Promise<Acceptance | undefined> {
    const { store } = this.#options;
    const known = await store.findByCaller(
      { caller: callerId ?? CANVAS_CALLER, messageId: message.messageId },
      unit.trx,
    );
    if (known === undefined) return undefined;
    if (known.body_hash !== bodyHash) throw messageIdConflict(known);
    if (known.answers_id === null) return { kind: 'message', row: withoutAnswer(known), target, plan };
    const answered = await store.find({ id: known.answers_id }, unit.trx);
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
    const { store } = this.#options;
    const { inReplyTo } = message.view;
    const question = await store.findAnswered(target.id, callerId, inReplyTo, unit.trx);
    if (question === undefined && callerId === target.id) {
      await this.#checkOwn({ workspaceId: target.id, reference: inReplyTo }, unit.trx);
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
    const { questions, queue } = this.#options;
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
      const { refusal } = this.#loops.checkReply(current);
      if (refusal !== undefined) {
        this.#loops.report({ callerId, targetId: target.id }, refusal);
        throw refusal;
      }
      if (isDirect(current)) {
        // The caller recorded that message itself, so its reply counts like any message.
        const full = await queue.checkRoom(target.id, callerId, unit.trx);
        if (full !== undefined) throw inboxFull(full);
      }
      const context = current.context_id ?? view.contextId;
      const reply = { view: inContext(view, context), messageId, bodyHash, headers: message.headers };
      const answer = answerOfReply(reply.view, requestIdOf(current));
      const destination = await questions.takeAnswer(unit, current, answer, { reply });
      if (destination !== undefined) {
        if (destination === 'caller') {
          const apart = { callerId, targetId: target.id, messageId, bodyHash, answersId: current.id };
          await queue.recordApart(unit, apart);
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
    const { questions, queue } = this.#options;
    const { callerId, target, message, bodyHash } = admitted;
    const { headers, messageId, view } = message;
    // Before the answers are recorded, because by then the questions are closed.
    const repeat = await this.#findRepeat(unit, admitted, plan);
    if (repeat !== undefined) return repeat;
    const carried = await questions.recordCarried(unit, { callerId, targetId: target.id, view });
    if (carried.kind === 'recorded') {
      // It may make the platform write messages to the target, so it counts as one.
      const sent = { callerId, targetId: target.id, view, question: undefined };
      const loop = await this.#loops.check(unit, sent);
      const refusal = loop.refusal ?? (await this.#refusal(admitted, 'store', unit.trx));
      if (loop.refusal !== undefined) this.#loops.report(sent, loop.refusal);
      if (refusal !== undefined) throw refusal;
      if (loop.isCounted) this.#loops.count(unit, sent);
      const recorded = { callerId, targetId: target.id, view: withAnswers(view), messageId, bodyHash };
      const row = await queue.recordApart(unit, recorded);
      return { kind: 'message', row, target, plan: 'store' };
    }
    if (carried.kind !== 'complete') {
      const plain = { headers, messageId, view: withAnswers(view) };
      return this.#store(unit, { ...admitted, message: plain }, plan, onStored);
    }
    const { continues, answers } = carried;
    const complete = {
      headers,
      messageId,
      view: withAnswers(view, { answers, original: originalOf(continues) }),
    };
    return this.#store(unit, { ...admitted, continues, message: complete }, plan, onStored);
  }

  async #store(
    unit: UnitOfWork,
    admitted: AdmittedMessage,
    plan: DeliveryPlan,
    onStored: OnStored,
    question?: MessageRow,
  ): Promise<Acceptance> {
    const { questions, queue, scheduler, transitions } = this.#options;
    const { callerId, caller, target, bodyHash, continues } = admitted;
    const { headers, messageId } = admitted.message;
    const source = question ?? continues;
    const own = admitted.message.view;
    // Its own context, unless it has another one's; of people that of the workspace, else a new one.
    const contextId = source?.context_id ?? (own.contextId || (callerId === null ? target.id : randomUUID()));
    const given = inContext(own, contextId);
    const view = question === undefined ? given : withoutDeadline(given);
    const sent = { callerId, targetId: target.id, view, question, continues };
    const loop = await this.#loops.check(unit, sent);
    const refusal = loop.refusal ?? (await this.#refusal(admitted, plan, unit.trx));
    if (refusal !== undefined) {
      // A repeat of an accepted message is not refused.
      const repeat = await this.#findRepeat(unit, admitted, plan);
      if (repeat !== undefined) return repeat;
      if (loop.refusal !== undefined) this.#loops.report(sent, loop.refusal);
      throw refusal;
    }
    const isOver =
      view.deadline !== '' && (parseRfc3339(view.deadline) ?? Number.POSITIVE_INFINITY) <= unit.now;
    const lease = plan === 'push' && !isOver ? await scheduler.reserve(unit, target.id) : undefined;
    const row = await queue.enqueue(unit, {
      callerId,
      target,
      view,
      messageId,
      headers: source === undefined ? headers : inTraceOf(headers, source),
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
    if (loop.isCounted) this.#loops.count(unit, sent);
    if (continues !== undefined && !(await questions.resume(unit, continues, row))) throw questionClosed();
    if (caller !== undefined) await this.#recordOutbound(caller, unit);
    if (isOver) {
      await transitions.end(unit, row, { state: 'expired' }, { isKnown: true });
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
    const { queue, scheduler } = this.#options;
    const { monthly_spend: spent, budget_limit: limit } = target;
    if (limit !== null && spent >= limit) {
      return new HttpError(402, 'budget_exceeded', 'workspace budget limit exceeded');
    }
    if (plan === 'push' && scheduler.isEmpty(target.id)) return undefined;
    const full = await queue.checkRoom(target.id, callerId ?? CANVAS_CALLER, db);
    return full && inboxFull(full);
  }

  async #recordOutbound(caller: WorkspaceRow, { at, trx }: UnitOfWork): Promise<void> {
    if (caller.last_outbound_at?.slice(0, SECONDS) === at.slice(0, SECONDS)) return;
    await this.#options.workspaces.change(caller, { last_outbound_at: at }, trx);
  }

  /** @throws HttpError 400 `invalid_request` for a notify that names a message for whose answer a workspace waits. */
  async checkNotify(to: FeedReference, db: Queryable): Promise<void> {
    const message = await this.#options.store.findAwaited(to, db);
    if (message === undefined || message.source_id === null) return;
    if (message.caller_receipt === 'none' || isEnded(message.delivery_state)) return;
    throw new HttpError(400, 'invalid_request', 'in_reply_to names a message of a workspace', {
      field: 'in_reply_to',
      hint: toPeer(message.source_id),
    });
  }

  /** @throws HttpError 400 `invalid_message` for a reply that a workspace sends to itself instead of its sender. */
  async #checkOwn(to: FeedReference, db: Queryable): Promise<void> {
    const message = await this.#options.store.findAwaited(to, db);
    if (message === undefined || message.source_id === to.workspaceId) return;
    const { source_id: sourceId, caller_receipt: receipt } = message;
    if (sourceId !== null && receipt === 'none') return;
    const hint =
      sourceId === null
        ? `Post it to /workspaces/${to.workspaceId}/notify with in_reply_to: a person asked.`
        : toPeer(sourceId);
    throw new HttpError(400, 'invalid_message', 'the reply is addressed to the workspace that sends it', {
      field: 'params.message.metadata.in_reply_to',
      hint,
    });
  }

  /**
   * Whether a message that names none is a reply. Agents that never acknowledge send such ones, and two of them would hold each
   * other's calls although neither answers a call: neither acknowledges, and the newest message between the two is one of `target` that has not ended. The
   * next one of `caller` is the reply to it, and those after that are not.
   */
  async #isLikelyReply(caller: WorkspaceRow, target: WorkspaceRow, db: Queryable): Promise<boolean> {
    const since = acknowledgingSince(this.#options.clock);
    if (acknowledges(caller.acknowledged_at, since) || acknowledges(target.acknowledged_at, since))
      return false;
    const received = await this.#options.store.findNewestFrom(
      { workspaceId: caller.id, peerId: target.id },
      db,
    );
    if (received?.delivery_state !== 'pending') return false;
    const sent = await this.#options.store.findNewestFrom({ workspaceId: target.id, peerId: caller.id }, db);
    return Number(sent?.seq ?? 0) < Number(received.seq);
  }
}

interface Directories extends Pick<PlatformContext, 'workspaces'> {
  readonly hierarchy: HierarchyService;
}

/**
 * Locks and reads caller and target, so that the target is not removed or paused while a message for it is stored. An unknown
 * and a forbidden target give the same error.
 */
async function admit(
  { workspaces, hierarchy }: Directories,
  { callerId, targetId }: Pick<IncomingMessage, 'callerId' | 'targetId'>,
  unit: UnitOfWork,
): Promise<Pick<AdmittedMessage, 'caller' | 'target'>> {
  if (callerId === null) return { caller: undefined, target: await workspaces.lock(unit, targetId) };
  await unit.lock?.(callerId, targetId);
  const rows = await workspaces.findAll([callerId, targetId], unit.trx);
  const caller = rows.find(({ id }) => id === callerId);
  const found = rows.find(({ id }) => id === targetId);
  if (found === undefined) throw accessDenied();
  const target = requireAlive(found);
  if (caller === undefined || !(await hierarchy.areRelated(caller, target, unit.trx))) {
    throw accessDenied();
  }
  return { caller, target };
}

function toPeer(peerId: string): string {
  return `Post the answer to /workspaces/${peerId}/a2a with metadata.in_reply_to.`;
}

/** Only what the platform knows is said of what a message answers: that a failed message has an answer after all, or nothing. */
function withKnownReply(admitted: AdmittedMessage, question: MessageRow | undefined): AdmittedMessage {
  const { callerId, message } = admitted;
  const { envelope } = message.view;
  const own =
    question === undefined
      ? withoutReply(envelope, callerId !== null)
      : withoutPlatformWordsIn(envelope, 'outcome');
  return own === envelope ? admitted : { ...admitted, message: { ...message, view: viewMessage(own) } };
}

/** Whether the sender of a stored message wanted an answer to it. */
function needsAnswer({ source_id: sourceId, caller_receipt: receipt }: MessageRow): boolean {
  return sourceId === null || receipt !== 'none';
}

function acceptedReply(
  messageId: string,
  inReplyTo: string,
  destination: OutcomeDestination,
  isRepeat: boolean,
): Acceptance {
  const body: ReplyAccepted = {
    status: 'answered',
    message_id: messageId,
    in_reply_to: inReplyTo,
    delivered_to: destination,
    ...(isRepeat ? { duplicate: true as const } : {}),
  };
  return { kind: 'reply', body };
}

/** A reply to a message that was answered or acknowledged before. */
function unusedReply(
  messageId: string,
  question: Pick<MessageRow, 'message_id' | 'delivery_state'>,
): Acceptance {
  const state = messageStateOf(question);
  const hint =
    state === 'answered'
      ? 'The message had been answered before.'
      : 'The message ended when it was acknowledged. Answer first, or report the outcome accepted before the acknowledgement.';
  const unused = { delivered_to: 'nobody', duplicate: true, state, hint } as const;
  const body = {
    status: 'answered',
    message_id: messageId,
    in_reply_to: question.message_id,
    ...unused,
  } as const;
  return { kind: 'reply', body };
}

function questionClosed(): HttpError {
  return new HttpError(409, 'question_closed', 'the question is no longer open');
}

function inboxFull(full: InboxRefusal): HttpError {
  const [text, hint] = INBOX_FULL[full];
  return new HttpError(429, 'inbox_full', text, { retry_after: 30, scope: full, hint });
}

const INBOX_FULL: Readonly<Record<InboxRefusal, readonly [string, string]>> = {
  inbox: [
    'the target has too many unacknowledged messages',
    'Its agent must acknowledge what it has finished. Try again later.',
  ],
  sender: [
    'the target has too many unacknowledged messages of yours',
    'One sender may use a quarter of what may wait. Send again when the target has finished some.',
  ],
};

/** The answer in a reply message: the message itself, as A2A 0.3 writes it, with the JSON-RPC id of the request that it answers. */
export function answerOfReply(
  { message }: Pick<MessageView, 'message'>,
  requestId: string | number | null,
): JsonObject {
  const { params } = toA2a03Request({ method: 'message/send', params: { message } });
  const shown = isJsonObject(params) && isJsonObject(params.message) ? params.message : message;
  return { jsonrpc: '2.0', id: requestId, result: { ...shown, kind: 'message', role: 'agent' } };
}
