import {
  type AnswerQuestionRequest,
  describeProblems,
  extractAnswerText,
  fieldProblems,
  isColumnText,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  MAX_QUESTION_LENGTH,
  MAX_QUESTIONS,
  type MessageView,
  type OriginalInMetadata,
  Question,
  type QuestionAnswer,
  type QuestionRecord,
  textPart,
  toA2a03Parts,
  viewMessage,
  withOriginal,
} from '@molecule-ai/protocol';
import type { MessageRow, QuestionRow } from '../../database/schema.ts';
import { HttpError, invalidField } from '../../http/http-error.ts';
import { conversationIdOf } from '../request.ts';

/** The longest `data` of a question, as JSON, in bytes. */
const MAX_DATA_BYTES = 32 * 1024;
/** At most so many answers in one message. */
const MAX_ANSWERS = 100;

/** Who answers a question: the user of the canvas, an operator, or the workspace that sent the message. */
export type Answerer = 'user' | 'operator' | 'sender';

/** An answer to one question, complete. */
export interface GivenAnswer {
  readonly decision: 'approve' | 'reject' | null;
  readonly text: string | null;
}

/**
 * The questions in the answer of an agent; undefined when it has none. Metadata is open, so a list of other things
 * under the same name is not one. `senderId`: the workspace that sent the message, null for people and operators.
 * @throws HttpError 400 `invalid_request` for questions that cannot be asked.
 */
export function questionsIn(answer: JsonObject, senderId: string | null): Question[] | undefined {
  const { metadata } = messageOf(answer);
  const list = isJsonObject(metadata) ? metadata.questions : undefined;
  if (!Array.isArray(list) || !list.some(isQuestionLike)) return undefined;
  return checkQuestions(
    list.map((item, index) => {
      const read = Question.tolerant.safeParse(item);
      if (read.success) return read.data;
      const problems = fieldProblems(read.error.issues, item);
      throw invalid(`question ${index + 1} is unusable: ${describeProblems(problems)}`);
    }),
    senderId,
  );
}

/**
 * Questions as they are stored. An approval of what another workspace's message caused is the user's to decide, whomever
 * the agent names.
 */
export function checkQuestions(questions: readonly Question[], senderId: string | null): Question[] {
  if (questions.length > MAX_QUESTIONS) {
    throw invalid(`an answer may have at most ${MAX_QUESTIONS} questions`);
  }
  const ids = new Set(questions.map(({ id }) => id));
  if (ids.size < questions.length) throw invalid('two questions have the same id');
  for (const id of ['.', '..']) {
    // As a part of a path it would name another one.
    if (ids.has(id)) throw invalid(`${JSON.stringify(id)} cannot be the id of a question`);
  }
  for (const { data } of questions) {
    if (data === undefined || Buffer.byteLength(JSON.stringify(data)) <= MAX_DATA_BYTES) continue;
    throw invalid(`the data of a question may have at most ${MAX_DATA_BYTES} bytes`);
  }
  return questions.map((question) =>
    question.kind === 'approval' && senderId !== null ? { ...question, from: 'user' } : question,
  );
}

function isQuestionLike(item: JsonValue): boolean {
  return isJsonObject(item) && typeof item.id === 'string' && 'kind' in item && 'text' in item;
}

/** An answer that asks these questions. Their texts are its text when it has none. */
export function askingAnswer(answer: JsonObject, questions: readonly Question[]): JsonObject {
  const said = messageOf(answer);
  const { answers: _answers, ...metadata } = isJsonObject(said.metadata) ? said.metadata : {};
  const isSilent = extractAnswerText(answer).trim() === '';
  const given = Array.isArray(said.parts) ? toA2a03Parts(said.parts) : [];
  const parts = isSilent ? [textPart(questions.map(({ text }) => text).join('\n')), ...given] : given;
  const asked = questions.map((question) => ({ ...question }) as JsonObject);
  return { ...answer, result: { ...said, parts, metadata: { ...metadata, questions: asked } } };
}

/** What an agent says; in A2A 1.0 it is the `message` of the result. */
function messageOf({ result }: JsonObject): JsonObject {
  if (!isJsonObject(result)) return {};
  const { kind, message, metadata } = result;
  const isOfA2a1 = kind === undefined && metadata === undefined && isJsonObject(message);
  return isOfA2a1 ? { ...message, kind: 'message', role: 'agent' } : result;
}

/**
 * Whether this caller answers this question: people and operators all of an agent, a workspace the texts that it is
 * asked about its own messages. No workspace approves anything.
 */
export function mayAnswer(
  { kind, asked_of: askedOf, source_id: sourceId }: QuestionRow,
  callerId: string | null,
): boolean {
  return callerId === null || (kind === 'text' && askedOf === 'sender' && sourceId === callerId);
}

export function isOpen({ state }: QuestionRow): boolean {
  return state === 'open';
}

/** Whether a message without `metadata.answers` whose `taskId` names the interrupted message answers this question. */
export function isAsked(question: QuestionRow, targetId: string, callerId: string | null): boolean {
  const { workspace_id: agentId, source_id: sourceId, kind, asked_of: askedOf } = question;
  const isOfSender = agentId === targetId && sourceId === callerId;
  return isOfSender && isOpen(question) && kind === 'text' && askedOf === 'sender';
}

/** The task of A2A that a message continues; undefined for none. */
export function taskIdOf({ message: { taskId: id } }: MessageView): string | undefined {
  return typeof id === 'string' && id !== '' && isColumnText(id) ? id.toLowerCase() : undefined;
}

/** The items of `metadata.answers` that name a question, by question; the last one of each counts. */
export function readAnswers(value: JsonValue | undefined): ReadonlyMap<string, JsonObject> {
  const items = Array.isArray(value) ? value.filter(isJsonObject) : [];
  const named = new Map<string, JsonObject>();
  for (const item of items) {
    const { question_id: id } = item;
    if (typeof id === 'string' && id !== '' && isColumnText(id)) named.set(id, item);
    // More than may be answered, so that too many are noticed, and no more.
    if (named.size > MAX_ANSWERS) break;
  }
  return named;
}

/** @throws HttpError 400 `invalid_request` when one message answers too many questions. */
export function requireAnswerCount(count: number): void {
  if (count > MAX_ANSWERS) {
    throw invalid(`a message may answer at most ${MAX_ANSWERS} questions`, 'params.message.metadata.answers');
  }
}

/**
 * What an answer says to this question. An approval takes a decision and maybe a text, never a text alone; a text
 * question takes a text, by default that of the message.
 * @throws HttpError 400 `invalid_request`
 */
export function answerTo(
  { id, kind }: Pick<QuestionRow, 'id' | 'kind'>,
  { decision, text }: { readonly [Key in keyof AnswerQuestionRequest]?: JsonValue | undefined },
  messageText = '',
): GivenAnswer {
  const name = `the question ${JSON.stringify(id)}`;
  const said = typeof text === 'string' && text.trim() !== '' ? text : messageText;
  if (said.length > MAX_QUESTION_LENGTH) {
    throw invalid(`the text of an answer may have at most ${MAX_QUESTION_LENGTH} characters`, 'text');
  }
  if (kind === 'approval') {
    if (decision === 'approve' || decision === 'reject') return { decision, text: said || null };
    throw invalid(`${name} needs the decision approve or reject; a text does not decide`, 'decision');
  }
  if (decision !== undefined && decision !== null) {
    throw invalid(`${name} asks for a text, not for a decision`, 'decision');
  }
  if (said.trim() === '') throw invalid(`${name} needs a text`, 'text');
  return { decision: null, text: said };
}

/** An answered question as its agent gets it. */
export function toAnswer(question: QuestionRow): QuestionAnswer {
  const { id, kind, text, data, decision, answer, answered_by: by } = question;
  return {
    question_id: id,
    kind,
    question: text,
    ...(data === null ? {} : { data: JSON.parse(data) }),
    ...(decision === null ? {} : { decision }),
    ...(answer === null ? {} : { text: answer }),
    by: by ?? 'operator',
  };
}

/** The answers as a text. */
export function answersText(questions: readonly QuestionRow[]): string {
  return questions
    .map(({ text, decision, answer }) => {
      const decided = decision === null ? [] : [decision === 'approve' ? 'Approved.' : 'Rejected.'];
      return `${text}\n${[...decided, ...(answer === null ? [] : [answer])].join(' ')}`;
    })
    .join('\n\n');
}

/** A question as it is stored, open. */
export function toQuestionRow(
  { id, kind, text, data, from }: Question,
  message: MessageRow,
  { createdAt, position }: { readonly createdAt: string; readonly position: number },
): QuestionRow {
  const { source_id: sourceId, context_id: contextId } = message;
  return {
    workspace_id: message.target_id,
    id,
    position,
    activity_id: message.id,
    message_id: message.message_id,
    context_id: contextId ?? '',
    conversation_id: message.conversation_id ?? conversationIdOf(sourceId, contextId),
    source_id: sourceId,
    kind,
    text,
    data: data === undefined ? null : JSON.stringify(data),
    asked_of: from,
    state: 'open',
    decision: null,
    answer: null,
    answered_by: null,
    created_at: createdAt,
    answered_at: null,
  };
}

/** About how many bytes a question takes in the database. */
export function sizeOf({ text, data }: QuestionRow): number {
  return Buffer.byteLength(text) + Buffer.byteLength(data ?? '');
}

export function toQuestionRecord(row: QuestionRow): QuestionRecord {
  const { position: _position, source_id: _source, asked_of: from, data, ...fields } = row;
  return { ...fields, from, ...(data === null ? {} : { data: JSON.parse(data) }) } as QuestionRecord;
}

export function questionNotFound(): HttpError {
  return new HttpError(404, 'question_not_found', 'question not found', {
    field: 'questionId',
    hint: 'GET /workspaces/:id/questions lists them.',
  });
}

export function questionClosed(id: string, state: string): HttpError {
  const text = `the question ${JSON.stringify(id)} ${state === 'answered' ? 'was answered before' : 'is closed'}`;
  const hint = 'Its message may have ended, or somebody else answered.';
  return new HttpError(409, 'question_closed', text, { hint });
}

export function invalid(reason: string, field = 'params.message.metadata.questions'): HttpError {
  return invalidField(field, reason);
}

/** What became of the answers that a message carries in `metadata.answers`. */
export type CarriedAnswers =
  /** None is the answer to a question that its sender may answer. */
  | { readonly kind: 'foreign' }
  /** They are recorded, and the message has no other purpose. */
  | { readonly kind: 'recorded' }
  /** The message delivers these answers to the agent, and continues the message that the questions were about. */
  | {
      readonly kind: 'complete';
      readonly continues: MessageRow;
      readonly answers: readonly QuestionAnswer[];
    };

/** The answers that a message delivers, and what they are about. */
interface DeliveredAnswers {
  readonly answers: readonly QuestionAnswer[];
  readonly original: OriginalInMetadata;
}

/** The message with these answers in its metadata, or without any; what its sender wrote there is removed. */
export function withAnswers(view: MessageView, delivered?: DeliveredAnswers): MessageView {
  const { envelope } = view;
  if (!isJsonObject(envelope.params)) return view;
  const params = withoutGivenAnswers(envelope.params);
  if (isJsonObject(params.message)) {
    const message = withoutGivenAnswers(params.message);
    const given = isJsonObject(message.metadata) ? message.metadata : {};
    params.message =
      delivered === undefined ? message : { ...message, metadata: { ...given, ...metadataOf(delivered) } };
  }
  return viewMessage({ ...envelope, params });
}

/** The metadata of a message that delivers answers. */
export function metadataOf({ answers, original }: DeliveredAnswers): JsonObject {
  return withOriginal({ answers: answers.map((answer) => ({ ...answer }) as JsonObject) }, original);
}

function withoutGivenAnswers(holder: JsonObject): JsonObject {
  const { metadata } = holder;
  if (!isJsonObject(metadata) || !Object.hasOwn(metadata, 'answers')) return { ...holder };
  const { answers: _answers, ...others } = metadata;
  return { ...holder, metadata: others };
}
