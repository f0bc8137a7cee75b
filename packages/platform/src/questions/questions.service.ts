import {
  type AnswerQuestionRequest,
  type AskQuestionsRequest,
  isEnded,
  type JsonObject,
  MAX_QUESTIONS,
  type MessageView,
  type Question,
  type QuestionRecord,
} from '@molecule-ai/protocol';
import { traceHeaders } from '@molecule-ai/telemetry';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { QuestionRow } from '../database/schema.ts';
import { requireAlive, type WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { accessDenied } from '../messages/accept/acceptance.rules.ts';
import type { CarriedAnswers } from '../messages/accept/carried-answers.rules.ts';
import { isDirect } from '../messages/caller-keys.rules.ts';
import type { MessageRow, MessagesService } from '../messages/messages.service.ts';
import type { EndDetails, OutcomeDestination } from '../messages/outcome/outcome-hooks.ts';
import { type PassedHeaders, traceOf } from '../messages/passed-headers.rules.ts';
import { timestamp } from '../time/clock.ts';
import {
  type Answerer,
  answersText,
  answerTo,
  askingAnswer,
  checkQuestions,
  type GivenAnswer,
  invalid,
  isAsked,
  isOpen,
  mayAnswer,
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
import { QuestionStore } from './questions.store.ts';

/** Most open questions of one workspace; those about messages of workspaces leave a tenth for people, one of them a quarter. */
const MAX_OPEN = 1_000;
const MAX_OPEN_FOR_WORKSPACES = 900;
const MAX_OPEN_FOR_ONE = 250;

/** Which questions of a workspace are listed. */
export interface QuestionPage {
  readonly state: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

export interface QuestionsServiceOptions extends Pick<PlatformContext, 'clock' | 'database' | 'events'> {
  readonly activity: Pick<ActivityService, 'grew'>;
  readonly hierarchy: HierarchyService;
  readonly messages: MessagesService;
  readonly workspaces: WorkspaceDirectory;
}

/**
 * The questions of agents. An answer with questions interrupts its message instead of ending it; when the last question is
 * answered, all answers are delivered in one message, which continues the interrupted one. The questions of a message
 * are open only while it is `input_required`.
 */
export class QuestionsService {
  readonly #options: QuestionsServiceOptions;
  readonly #store: QuestionStore;

  constructor(options: QuestionsServiceOptions) {
    this.#options = options;
    this.#store = new QuestionStore(options);
    const { messages } = options;
    messages.outcomes.interceptAnswers((...answered) => this.#intercept(...answered));
    messages.outcomes.onEnd(async ({ trx }, { id }, _end, was) => {
      if (was === 'input_required') await this.#store.close(id, trx);
    });
    messages.recordAnswersWith((unit, message) => this.#recordCarried(unit, message));
  }

  /** A page of the questions of a workspace, newest first. */
  async list(
    workspaceId: string,
    { state, limit, offset }: QuestionPage,
  ): Promise<{ readonly questions: QuestionRecord[]; readonly hasMore: boolean }> {
    await this.#options.workspaces.require(workspaceId);
    const rows = await this.#store.list(workspaceId, state, { limit: limit + 1, offset });
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
    const { database, messages, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      await workspaces.lock(unit, workspaceId);
      const [question] = await this.#store.find(workspaceId, [questionId], unit.trx);
      if (question === undefined) throw questionNotFound();
      const given = answerTo(question, answer);
      if (!(await this.#record(unit, question, given, by))) return toQuestionRecord(question);
      const rows = await this.#store.listOfMessage(question.activity_id, unit.trx);
      if (!rows.some(isOpen)) {
        const message = await messages.continuations.find(unit, question.activity_id);
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
    const { database, messages } = this.#options;
    return database.transaction(async (unit) => {
      const callerId = direct.source_id.toLowerCase();
      const asked = checkQuestions(questions, callerId);
      await this.#requireReachable(unit, workspaceId, callerId);
      const message = await messages.continuations.findOrRecordDirect(unit, {
        callerId,
        targetId: workspaceId,
        messageId: direct.message_id,
        contextId: direct.context_id,
        headers: traceHeaders(traceOf(headers)),
      });
      if (message === undefined) throw new Error('A direct message is neither new nor known.');
      const ids = asked.map(({ id }) => id);
      const known = await this.#store.find(workspaceId, ids, unit.trx);
      if (known.length < asked.length && isEnded(message.delivery_state)) {
        throw questionClosed(ids[0] ?? '', 'closed');
      }
      const answer = { jsonrpc: '2.0', id: null, result: { kind: 'message', role: 'agent', parts: [] } };
      // The agent itself gives the sender of a direct message the questions; of any other one the sender waits here.
      const isKnownToCaller = isDirect(message);
      const end = await this.#interrupt(unit, message, { answer, asked, isKnownToCaller });
      if (end === 'changed') throw questionClosed(ids[0] ?? '', 'closed');
      const rows = await this.#store.find(workspaceId, ids, unit.trx);
      return rows.sort((a, b) => a.position - b.position).map(toQuestionRecord);
    });
  }

  async #intercept(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    reply: EndDetails['reply'],
  ): Promise<OutcomeDestination | 'changed' | undefined> {
    const asked = questionsIn(answer, message.source_id);
    return asked && this.#interrupt(unit, message, { answer, asked, reply });
  }

  async #interrupt(
    unit: UnitOfWork,
    message: MessageRow,
    {
      answer,
      asked,
      ...details
    }: Pick<EndDetails, 'reply' | 'isKnownToCaller'> & {
      readonly answer: JsonObject;
      readonly asked: readonly Question[];
    },
  ): Promise<OutcomeDestination | 'changed'> {
    const { activity, events, messages } = this.#options;
    const { target_id: workspaceId } = message;
    await unit.lock(workspaceId);
    const ids = asked.map(({ id }) => id);
    const known = await this.#store.find(workspaceId, ids, unit.trx);
    const foreign = known.find((row) => row.activity_id !== message.id);
    if (foreign !== undefined) {
      throw invalid(`the question id ${JSON.stringify(foreign.id)} was used for another message`);
    }
    const fresh = asked.filter(({ id }) => !known.some((row) => row.id === id));
    // A repeat of an answer that was recorded before.
    if (fresh.length === 0) return 'caller';
    const earlier = await this.#store.listOfMessage(message.id, unit.trx);
    if (earlier.filter(isOpen).length + fresh.length > MAX_QUESTIONS) {
      throw invalid(`a message may have at most ${MAX_QUESTIONS} open questions`);
    }
    await this.#requireRoom(unit, message, fresh.length);
    const asking = askingAnswer(answer, asked);
    const destination = await messages.continuations.interrupt(unit, message, asking, details);
    if (destination === undefined) return 'changed';
    const createdAt = timestamp(this.#options.clock);
    const rows = fresh.map((question, index) =>
      toQuestionRow(question, message, { createdAt, position: earlier.length + index }),
    );
    await this.#store.insert(rows, unit.trx);
    for (const row of rows) activity.grew(unit, workspaceId, sizeOf(row));
    const announced = rows.map(({ id, activity_id, kind, asked_of: from }) => ({
      type: 'QUESTION_ASKED' as const,
      workspaceId,
      payload: { question_id: id, activity_id, kind, from },
    }));
    await events.appendMany(unit, announced);
    return destination;
  }

  /** One sender cannot use up the questions that the agent may ask others. */
  async #requireRoom({ trx }: UnitOfWork, message: MessageRow, count: number): Promise<void> {
    const { target_id: workspaceId, source_id: sourceId } = message;
    const total = sourceId === null ? MAX_OPEN : MAX_OPEN_FOR_WORKSPACES;
    if (await this.#store.hasOpen({ workspaceId }, total - count + 1, trx)) {
      throw invalid(`a workspace may have at most ${total} open questions about such messages`);
    }
    if (sourceId === null) return;
    if (await this.#store.hasOpen({ workspaceId, sourceId }, MAX_OPEN_FOR_ONE - count + 1, trx)) {
      throw invalid(
        `a workspace may have at most ${MAX_OPEN_FOR_ONE} open questions about messages of one sender`,
      );
    }
  }

  /** The answers in a message: recorded when its sender may give them, and delivered when they are the last ones. */
  async #recordCarried(
    unit: UnitOfWork,
    { callerId, targetId, view }: { callerId: string | null; targetId: string; view: MessageView },
  ): Promise<CarriedAnswers> {
    const { messages } = this.#options;
    const items = readAnswers(view.metadata.answers);
    const taskId = items.size === 0 ? taskIdOf(view) : undefined;
    if (items.size === 0 && taskId === undefined) return { kind: 'foreign' };
    const { trx } = unit;
    const own =
      taskId === undefined
        ? (await this.#store.find(targetId, [...items.keys()], trx)).filter((row) => mayAnswer(row, callerId))
        : (await this.#store.listOfMessage(taskId, trx)).filter((row) => isAsked(row, targetId, callerId));
    if (own.length === 0) return { kind: 'foreign' };
    requireAnswerCount(items.size);
    const by = callerId === null ? 'user' : 'sender';
    for (const question of own) {
      const given = answerTo(question, items.get(question.id) ?? {}, view.text);
      await this.#record(unit, question, given, by);
    }
    const complete: { readonly message: MessageRow; readonly rows: QuestionRow[] }[] = [];
    for (const activityId of new Set(own.filter(isOpen).map((question) => question.activity_id))) {
      const rows = await this.#store.listOfMessage(activityId, trx);
      const message = rows.some(isOpen) ? undefined : await messages.continuations.find(unit, activityId);
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
    const { clock, events } = this.#options;
    const { id, state, activity_id, workspace_id: workspaceId } = question;
    if (state !== 'open') {
      if (state === 'answered' && question.decision === decision && question.answer === text) return false;
      throw questionClosed(id, state);
    }
    const answer = { decision, answer: text, answered_by: by, answered_at: timestamp(clock) };
    if (!(await this.#store.answer(question, answer, unit.trx))) throw questionClosed(id, 'closed');
    const payload = { question_id: id, activity_id, ...(decision === null ? {} : { decision }) };
    await events.append(unit, { type: 'QUESTION_ANSWERED', workspaceId, payload });
    return true;
  }

  async #deliver(unit: UnitOfWork, message: MessageRow, rows: readonly QuestionRow[]): Promise<void> {
    const content = { answers: rows.map(toAnswer), text: answersText(rows) };
    if (await this.#options.messages.continuations.enqueue(unit, message, content)) return;
    throw questionClosed(rows[0]?.id ?? '', 'closed');
  }

  /** The checks of a message from the agent to the workspace that it names as the sender. */
  async #requireReachable(unit: UnitOfWork, agentId: string, sourceId: string): Promise<void> {
    const { hierarchy, workspaces } = this.#options;
    await unit.lock(agentId, sourceId);
    const rows = await workspaces.findMany([agentId, sourceId], unit.trx);
    const agent = rows.find(({ id }) => id === agentId);
    const source = rows.find(({ id }) => id === sourceId);
    if (source === undefined || agent === undefined) throw accessDenied({ field: 'message.source_id' });
    requireAlive(source);
    if (await hierarchy.areRelated(agent, source, unit.trx)) return;
    throw accessDenied({ field: 'message.source_id' });
  }
}
