import { randomUUID } from 'node:crypto';
import {
  type AnswerQuestionRequest,
  type AskQuestionsRequest,
  buildSendMessage,
  isEnded,
  type JsonObject,
  MAX_QUESTIONS,
  type MessageView,
  type Question,
  type QuestionAnswer,
  type QuestionRecord,
  routes,
  viewMessage,
} from '@molecule-ai/protocol';
import { traceHeaders } from '@molecule-ai/telemetry';
import type { FastifyInstance } from 'fastify';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { MessageRow, QuestionRow } from '../../database/schema.ts';
import { requireAlive } from '../../directory/workspace-directory.ts';
import { accessDenied, type HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { HttpError } from '../../http/http-error.ts';
import { mount, wholeNumber } from '../../http/mount.ts';
import { expiryOf } from '../delivery.rules.ts';
import type { OutcomeDestination } from '../life.ts';
import { answersCaller, directCaller, isDirect } from '../message.store.ts';
import { pathOfContinuation } from '../path.ts';
import type { MessageQueue } from '../queue.ts';
import {
  answerInContext,
  hashMessage,
  inTraceOf,
  originalOf,
  type PassedHeaders,
  passedHeaders,
  traceOf,
} from '../request.ts';
import type { EventDetails, MessageParts } from '../transitions.ts';
import {
  type Answerer,
  answersText,
  answerTo,
  askingAnswer,
  type CarriedAnswers,
  checkQuestions,
  type GivenAnswer,
  invalid,
  isAsked,
  isOpen,
  mayAnswer,
  metadataOf,
  questionClosed,
  questionNotFound,
  questionsIn,
  readAnswers,
  requireAnswerCount,
  sizeOf,
  taskIdOf,
  toAnswer,
  toQuestionRecord,
  toQuestionRow,
} from './questions.rules.ts';

/** Most open questions of one workspace; those about messages of workspaces leave a tenth for people, one of them a quarter. */
const MAX_OPEN = 1_000;
const MAX_OPEN_FOR_WORKSPACES = 900;
const MAX_OPEN_FOR_ONE = 250;
/** How often a message may be interrupted, each time by the run that continues it. */
const MAX_ROUNDS = 20;

/** Which questions of a workspace are listed. */
interface QuestionPage {
  readonly state: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

interface QuestionsServiceOptions extends MessageParts {
  readonly hierarchy: HierarchyService;
}

/**
 * The questions of agents. An answer with questions interrupts its message instead of ending it; when the last question is
 * answered, all answers are delivered in one message, which continues the interrupted one: that stays open and ends as the one that
 * continues it, which may be interrupted and continued too. The questions of a message are open only while it is `input_required`.
 */
export class QuestionsService {
  readonly #options: QuestionsServiceOptions;

  constructor(options: QuestionsServiceOptions) {
    this.#options = options;
  }

  /** A page of the questions of a workspace, newest first. */
  async list(
    workspaceId: string,
    { state, limit, offset }: QuestionPage,
  ): Promise<{ readonly questions: QuestionRecord[]; readonly hasMore: boolean }> {
    await this.#options.workspaces.require(workspaceId);
    const rows = await this.#options.questionStore.list(workspaceId, state, { limit: limit + 1, offset });
    return { questions: rows.slice(0, limit).map(toQuestionRecord), hasMore: rows.length > limit };
  }

  /**
   * Answers one question. The same answer again changes nothing.
   * @throws HttpError 404 `question_not_found`, 409 `question_closed`, 400 for an answer of the wrong kind.
   */
  answer(
    workspaceId: string,
    questionId: string,
    answer: AnswerQuestionRequest,
    by: Answerer,
  ): Promise<QuestionRecord> {
    const { database, store, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      await workspaces.lock(unit, workspaceId);
      const [question] = await this.#options.questionStore.find(workspaceId, [questionId], unit.trx);
      if (question === undefined) throw questionNotFound();
      const given = answerTo(question, answer);
      if (!(await this.#record(unit, question, given, by))) return toQuestionRecord(question);
      const rows = await this.#options.questionStore.listOfMessage(question.activity_id, unit.trx);
      if (!rows.some(isOpen)) {
        const message = await store.find({ id: question.activity_id }, unit.trx);
        if (message === undefined) throw questionClosed(questionId, 'closed');
        await this.#deliver(unit, message, rows);
      }
      const [answered = question] = rows.filter(({ id }) => id === questionId);
      return toQuestionRecord(answered);
    });
  }

  /**
   * Stores the questions that the handling of a direct message raised, and the message with them when the platform does
   * not know it, in the trace that the headers of the request name. The same questions again change nothing.
   */
  ask(
    workspaceId: string,
    { questions, message: direct }: AskQuestionsRequest,
    headers: PassedHeaders,
  ): Promise<QuestionRecord[]> {
    return this.#options.database.transaction(async (unit) => {
      const callerId = direct.source_id.toLowerCase();
      const asked = checkQuestions(questions, callerId);
      await this.#requireReachable(unit, workspaceId, callerId);
      const message = await this.#findOrRecordDirect(unit, {
        callerId,
        targetId: workspaceId,
        messageId: direct.message_id,
        contextId: direct.context_id,
        headers: traceHeaders(traceOf(headers)),
      });
      if (message === undefined) throw new Error('A direct message is neither new nor known.');
      const ids = asked.map(({ id }) => id);
      const known = await this.#options.questionStore.find(workspaceId, ids, unit.trx);
      if (known.length < asked.length && isEnded(message.delivery_state)) {
        throw questionClosed(ids[0] ?? '', 'closed');
      }
      const answer = { jsonrpc: '2.0', id: null, result: { kind: 'message', role: 'agent', parts: [] } };
      // The agent itself gives the sender of a direct message the questions; of any other one the sender waits here.
      const isKnown = isDirect(message);
      const end = await this.#interrupt(unit, message, { answer, asked, isKnown });
      if (end === 'changed') throw questionClosed(ids[0] ?? '', 'closed');
      const rows = await this.#options.questionStore.find(workspaceId, ids, unit.trx);
      return rows.sort((a, b) => a.position - b.position).map(toQuestionRecord);
    });
  }

  /**
   * Takes the answer of an agent: it ends its message, or, when it asks questions, interrupts it. Returns where the caller gets it;
   * undefined when the message had ended or was changed since it was read.
   * @throws HttpError 400 `invalid_request` for questions that cannot be asked.
   */
  async takeAnswer(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    details: Pick<EventDetails, 'reply'> & { readonly durationMs?: number } = {},
  ): Promise<OutcomeDestination | undefined> {
    if (isEnded(message.delivery_state)) return undefined;
    const asked = questionsIn(answer, message.source_id);
    if (asked === undefined) {
      const ended = await this.#options.transitions.end(
        unit,
        message,
        { state: 'answered', answer },
        details,
      );
      return ended?.deliveredTo;
    }
    const { reply } = details;
    const end = await this.#interrupt(unit, message, { answer, asked, reply });
    return end === 'changed' ? undefined : end;
  }

  async #interrupt(
    unit: UnitOfWork,
    message: MessageRow,
    {
      answer,
      asked,
      ...details
    }: Pick<EventDetails, 'reply' | 'isKnown'> & {
      readonly answer: JsonObject;
      readonly asked: readonly Question[];
    },
  ): Promise<OutcomeDestination | 'changed'> {
    const { events, feed } = this.#options;
    const { target_id: workspaceId } = message;
    await unit.lock?.(workspaceId);
    const ids = asked.map(({ id }) => id);
    const known = await this.#options.questionStore.find(workspaceId, ids, unit.trx);
    const foreign = known.find((row) => row.activity_id !== message.id);
    if (foreign !== undefined) {
      throw invalid(`the question id ${JSON.stringify(foreign.id)} was used for another message`);
    }
    const fresh = asked.filter(({ id }) => !known.some((row) => row.id === id));
    // A repeat of an answer that was recorded before.
    if (fresh.length === 0) return 'caller';
    const earlier = await this.#options.questionStore.listOfMessage(message.id, unit.trx);
    if (earlier.filter(isOpen).length + fresh.length > MAX_QUESTIONS) {
      throw invalid(`a message may have at most ${MAX_QUESTIONS} open questions`);
    }
    await this.#requireRoom(unit, message, fresh.length);
    const asking = askingAnswer(answer, asked);
    const destination = await this.#interruptAll(unit, message, asking, details);
    if (destination === undefined) return 'changed';
    const rows = fresh.map((question, index) =>
      toQuestionRow(question, message, { createdAt: unit.at, position: earlier.length + index }),
    );
    await this.#options.questionStore.insert(rows, unit.trx);
    for (const row of rows) feed.grew(unit, workspaceId, sizeOf(row));
    const announced = rows.map(({ id, activity_id, kind, asked_of: from }) => ({
      type: 'QUESTION_ASKED' as const,
      workspaceId,
      payload: { question_id: id, activity_id, kind, from },
    }));
    await events.append(unit, ...announced);
    return destination;
  }

  /** One sender cannot use up the questions that the agent may ask others. */
  async #requireRoom({ trx }: UnitOfWork, message: MessageRow, count: number): Promise<void> {
    const { target_id: workspaceId, source_id: sourceId } = message;
    const total = sourceId === null ? MAX_OPEN : MAX_OPEN_FOR_WORKSPACES;
    if (await this.#options.questionStore.hasOpen({ workspaceId }, total - count + 1, trx)) {
      throw invalid(`a workspace may have at most ${total} open questions about such messages`);
    }
    if (sourceId === null) return;
    if (
      await this.#options.questionStore.hasOpen({ workspaceId, sourceId }, MAX_OPEN_FOR_ONE - count + 1, trx)
    ) {
      throw invalid(
        `a workspace may have at most ${MAX_OPEN_FOR_ONE} open questions about messages of one sender`,
      );
    }
  }

  /** The answers in a message: recorded when its sender may give them, and delivered when they are the last ones. */
  async recordCarried(
    unit: UnitOfWork,
    { callerId, targetId, view }: { callerId: string | null; targetId: string; view: MessageView },
  ): Promise<CarriedAnswers> {
    const { store } = this.#options;
    const items = readAnswers(view.metadata.answers);
    const taskId = items.size === 0 ? taskIdOf(view) : undefined;
    if (items.size === 0 && taskId === undefined) return { kind: 'foreign' };
    const { trx } = unit;
    const own =
      taskId === undefined
        ? (await this.#options.questionStore.find(targetId, [...items.keys()], trx)).filter((row) =>
            mayAnswer(row, callerId),
          )
        : (await this.#options.questionStore.listOfMessage(taskId, trx)).filter((row) =>
            isAsked(row, targetId, callerId),
          );
    if (own.length === 0) return { kind: 'foreign' };
    requireAnswerCount(items.size);
    const by = callerId === null ? 'user' : 'sender';
    for (const question of own) {
      const given = answerTo(question, items.get(question.id) ?? {}, view.text);
      await this.#record(unit, question, given, by);
    }
    const complete: { readonly message: MessageRow; readonly rows: QuestionRow[] }[] = [];
    for (const activityId of new Set(own.filter(isOpen).map((question) => question.activity_id))) {
      const rows = await this.#options.questionStore.listOfMessage(activityId, trx);
      const message = rows.some(isOpen) ? undefined : await store.find({ id: activityId }, trx);
      if (message !== undefined) complete.push({ message, rows });
    }
    const [only] = complete;
    const isCarrier =
      complete.length === 1 &&
      only?.message.source_id === callerId &&
      own.every((row) => row.activity_id === only.message.id);
    if (only !== undefined && isCarrier) {
      return { kind: 'complete', continues: only.message, answers: only.rows.map(toAnswer) };
    }
    for (const { message, rows } of complete) await this.#deliver(unit, message, rows);
    return { kind: 'recorded' };
  }

  /** Records an answer; false when the same one was recorded before. */
  async #record(
    unit: UnitOfWork,
    question: QuestionRow,
    { decision, text }: GivenAnswer,
    by: Answerer,
  ): Promise<boolean> {
    const { events, questionStore } = this.#options;
    const { id, state, activity_id, workspace_id: workspaceId } = question;
    if (state !== 'open') {
      if (state === 'answered' && question.decision === decision && question.answer === text) return false;
      throw questionClosed(id, state);
    }
    const answer = { decision, answer: text, answered_by: by, answered_at: unit.at };
    if (!(await questionStore.answer(question, answer, unit.trx))) throw questionClosed(id, 'closed');
    const payload = { question_id: id, activity_id, ...(decision === null ? {} : { decision }) };
    await events.append(unit, { type: 'QUESTION_ANSWERED', workspaceId, payload });
    return true;
  }

  async #deliver(unit: UnitOfWork, message: MessageRow, rows: readonly QuestionRow[]): Promise<void> {
    const content = { answers: rows.map(toAnswer), text: answersText(rows) };
    if (await this.#enqueueAnswers(unit, message, content)) return;
    throw questionClosed(rows[0]?.id ?? '', 'closed');
  }

  /** The checks of a message from the agent to the workspace that it names as the sender. */
  async #requireReachable(unit: UnitOfWork, agentId: string, sourceId: string): Promise<void> {
    const { hierarchy, workspaces } = this.#options;
    await unit.lock?.(agentId, sourceId);
    const rows = await workspaces.findAll([agentId, sourceId], unit.trx);
    const agent = rows.find(({ id }) => id === agentId);
    const source = rows.find(({ id }) => id === sourceId);
    if (source === undefined || agent === undefined) throw accessDenied({ field: 'message.source_id' });
    requireAlive(source);
    if (await hierarchy.areRelated(agent, source, unit.trx)) return;
    throw accessDenied({ field: 'message.source_id' });
  }

  /** The message that an agent received from `callerId` directly; it is recorded when the platform did not know it. */
  async #findOrRecordDirect(
    unit: UnitOfWork,
    direct: Parameters<MessageQueue['recordDirect']>[1],
  ): Promise<MessageRow | undefined> {
    const { queue, store } = this.#options;
    const { callerId, targetId, messageId } = direct;
    const sent = await store.findByCaller({ caller: callerId, messageId }, unit.trx);
    if (sent?.workspace_id === targetId) return sent;
    const known = await store.findByCaller({ caller: directCaller(targetId, callerId), messageId }, unit.trx);
    return known ?? queue.recordDirect(unit, direct);
  }

  /**
   * Interrupts a message, and all that it continues, and returns where the questions are delivered; undefined when it was
   * changed since it was read. The answer that asks is stored with the message itself only.
   * @throws HttpError 400 `invalid_request` when the message was interrupted too often.
   */
  async #interruptAll(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    { reply, isKnown = false }: Pick<EventDetails, 'reply' | 'isKnown'>,
  ): Promise<OutcomeDestination | undefined> {
    const { settings, transitions } = this.#options;
    const continued = await this.#continuedBy(unit, message);
    if (continued.length >= MAX_ROUNDS) {
      const text = `a message may be interrupted by questions ${MAX_ROUNDS} times`;
      const hint = 'Answer with what is known; the sender may send a new message.';
      throw new HttpError(400, 'invalid_request', text, { field: 'params.message.metadata.questions', hint });
    }
    const asked = answerInContext(answer, message.context_id);
    const expiresAt = (row: MessageRow) => expiryOf(deadlineOf(row), unit.now, settings.limits.questionTtlMs);
    const ask = (row: MessageRow, details: EventDetails) =>
      transitions.apply(unit, row, { kind: 'ask', answer: asked, expiresAt: expiresAt(row) }, details);
    const asking = await ask(message, { reply, isKnown });
    if (asking === undefined) return undefined;
    // A sender whose own message is interrupted gets the questions with that one.
    let isKnownAbove = isKnown || message.caller_receipt !== 'none';
    for (const above of continued) {
      await ask(above, { isKnown: isKnownAbove, isBelow: true });
      isKnownAbove ||= above.caller_receipt !== 'none';
    }
    return asking.deliveredTo;
  }

  /** Records that `by`, which was stored just before, continues a message; false when that one is not interrupted. */
  async resume(unit: UnitOfWork, message: MessageRow, by: Pick<MessageRow, 'id'>): Promise<boolean> {
    const { settings, transitions } = this.#options;
    const continueBy = (row: MessageRow, by: string, details: EventDetails = {}) => {
      const expiresAt = expiryOf(deadlineOf(row), unit.now, settings.limits.messageTtlMs);
      return transitions.apply(unit, row, { kind: 'continue', by, expiresAt }, details);
    };
    if ((await continueBy(message, by.id)) === undefined) return false;
    for (const above of await this.#continuedBy(unit, message)) {
      await continueBy(above, above.continued_by ?? by.id, { isBelow: true });
    }
    return true;
  }

  /**
   * Continues a message by one that the platform writes, in the name of its sender, so that it belongs to the same
   * conversation and is trusted as much. The text is for agents that do not read `metadata.answers`. False when the message is not interrupted.
   */
  async #enqueueAnswers(
    unit: UnitOfWork,
    message: MessageRow,
    { answers, text }: { readonly answers: readonly QuestionAnswer[]; readonly text: string },
  ): Promise<boolean> {
    const { queue, workspaces } = this.#options;
    const target = await workspaces.require(message.target_id, unit.trx);
    const messageId = randomUUID();
    const deadline = deadlineOf(message);
    const envelope = buildSendMessage({
      messageId,
      text,
      ...(message.context_id === null ? {} : { contextId: message.context_id }),
      metadata: {
        ...metadataOf({ answers, original: originalOf(message) }),
        ...(deadline === '' ? {} : { deadline }),
        ...(message.trace_id === null ? {} : { trace_id: message.trace_id }),
      } as JsonObject,
    }) as unknown as JsonObject;
    const row = await queue.enqueue(unit, {
      callerId: message.source_id,
      callerKey: answersCaller(target.id, message.source_id),
      target,
      view: viewMessage(envelope),
      messageId,
      headers: inTraceOf({}, message),
      inReplyTo: '',
      bodyHash: hashMessage(target.id, envelope),
      summary: `answers → ${target.name}`,
      outcomeExpected: false,
      continuesId: message.id,
      path: pathOfContinuation(message),
    });
    if (row === undefined) throw new Error('A new message id was used before.');
    return this.resume(unit, message, row);
  }

  /** Open messages that this one continues, nearest first, without what is long in them. */
  async #continuedBy(unit: UnitOfWork, message: MessageRow): Promise<MessageRow[]> {
    const found: MessageRow[] = [];
    let { continues_id: id } = message;
    while (id !== null && found.length < MAX_ROUNDS) {
      const above = await this.#options.store.findContinued(id, unit.trx);
      if (above === undefined || isEnded(above.delivery_state)) break;
      found.push(above);
      id = above.continues_id;
    }
    return found;
  }
}

function deadlineOf({ request_body: body }: MessageRow): string {
  return body === null ? '' : viewMessage(JSON.parse(body)).deadline;
}

const DEFAULT_PAGE = 100;
const MAX_PAGE = 200;

/** Questions over HTTP: listed, asked about a direct message, answered by people and operators. */
export function mountQuestionsRoutes(app: FastifyInstance, questions: QuestionsService): void {
  mount(app, routes.listQuestions, async ({ params, query: { state, limit, offset } }) => {
    const page = await questions.list(params.id, {
      state,
      limit: wholeNumber(limit, { fallback: DEFAULT_PAGE, min: 1, max: MAX_PAGE }),
      offset: wholeNumber(offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
    });
    return { questions: page.questions, has_more: page.hasMore };
  });

  mount(app, routes.askQuestions, async ({ params, body, request }) => ({
    questions: await questions.ask(params.id, body, passedHeaders(request.headers)),
  }));

  mount(app, routes.answerQuestion, async ({ params, body, caller }) => {
    // A session is a person in the browser; the operator key may be a program.
    const by = caller.via === 'session' ? 'user' : 'operator';
    return { status: 'answered', question: await questions.answer(params.id, params.questionId, body, by) };
  });
}
