import { randomUUID } from 'node:crypto';
import {
  buildSendMessage,
  dataPart,
  isErrorCode,
  isJsonObject,
  type JsonObject,
  JsonValue,
  type MessagePart,
  routes,
  type SendMessageRequest,
  textPart,
} from '@molecule-ai/protocol';
import { type Operation, traceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import { invalidArgument, MoleculeError } from '../errors/molecule-error.ts';
import { type PeerReply, readReply, withData } from '../peers/peer-reply.ts';
import type { Call, PlatformApi } from '../platform-api/platform-api.ts';
import {
  abortSignal,
  argumentProblem,
  given,
  number,
  type OptionsOf,
  optionsSchema,
  word,
} from '../settings/options.ts';
import type { AnySkill, SentData, Skill } from '../skills/skill.ts';
import { calls, codeOfError } from '../telemetry/telemetry.ts';
import { isFailedDelivery } from '../transport/api-failure.ts';
import type { CallLimits } from './current-message.ts';
import { answerKeyOf, WITHOUT_JOINED_TEXT, withWayToAnswer } from './message-state.ts';
import { type AnswerOfUser, type AnswerToQuestion, QUESTIONS } from './questions.ts';

const MARGIN_MS = 5_000;
const MARGIN_SHARE = 0.2;
const MAX_HOLD_SECONDS = 300;
/** Why an agent aborts the signal of a handler that it runs again later. */
const INTERRUPTIONS: ReadonlySet<string> = new Set(['agent_stopped', 'workspace_paused', 'timed_out']);
/** Who cannot stream may respond with JSON. */
export const ACCEPT_STREAM = { accept: 'text/event-stream, application/json' };

/** What each message may say. */
class MessageShape {
  /**
   * Aborts the call, which then rejects with the signal's reason, and cancels the message where the platform offers it.
   * Nothing is canceled when an agent interrupts a handler that it runs again and the call has a `messageId` of its own.
   */
  signal = abortSignal();
  /** Messages with the same id are one message, however often it is sent. @default a new UUID */
  messageId = given<string>();
  /** The conversation it belongs to: `PeerReply.contextId` continues one. @default a new one; an operator's default one */
  contextId = given<string>();
  /**
   * Total time limit including retries, in milliseconds; the platform holds the call slightly shorter. @default `callTimeoutMs`, 30_000. Of a
   * stream none: then the reply is `queued`, with what was read in `text`, after five minutes without new text
   */
  timeoutMs = number({ min: 1, isInteger: true, byDefault: undefined });
  /** Any JSON data. */
  metadata = given<JsonObject>();
}

export class CallPeerShape extends MessageShape {
  /**
   * Answers to questions of kind `text` of the peer (`PeerReply.questions`). Without a text of its own, an answer has that of
   * the message. The peer gets the answers to all of its questions together, in the conversation in which it asked.
   */
  answers = given<readonly AnswerToQuestion[]>();
  /** `proxy` sends through the platform only, which keeps the message and its state. @default as `directCalls` says */
  via = word(['proxy'], undefined);
}

export interface CallPeerOptions extends OptionsOf<CallPeerShape> {}

export class SendMessageShape extends MessageShape {
  /** Answers to questions of the agent, of any kind: an approval takes a decision. */
  answers = given<readonly AnswerOfUser[]>();
}

/** Of a message of the user. */
export interface SendMessageOptions extends OptionsOf<SendMessageShape> {}

/** A message with all that identifies it, the same on every path and in every repeat. */
export interface OutgoingMessage {
  readonly targetId: string;
  /** The workspace that sends it; `undefined` for an operator. */
  readonly senderId: string | undefined;
  readonly messageId: string;
  /** `''` when it names none. */
  readonly contextId: string;
  readonly body: SendMessageRequest;
  /** Whether the caller gave the message id, and can repeat the message. */
  readonly hasOwnId: boolean;
  /** The arguments of the client's `waitForAnswer` and `getMessage` for it, as code. */
  readonly answerKey: string;
  /** The call that sends it. */
  readonly operation: Operation;
}

class MessageContentShape {
  /** Needed unless there is data. */
  text = given<string>();
  /** Structured data, any JSON: a data part after the text. */
  data = given<JsonValue>();
  /** The id of the skill of the peer that is asked. With a `Skill` instead the message is a {@link SkillRequest}. */
  skill = given<string>();
}

/** A message with more than a text. */
export interface MessageContent extends OptionsOf<MessageContentShape> {}

/** A message to a skill, whose data and whose answer the program checks with its own definition. */
export interface SkillRequest<Input, Output> {
  readonly skill: Skill<Input, Output>;
  readonly data: SentData<Input>;
  readonly text?: string | undefined;
}

/** What a call may send. */
export type AnyContent =
  | string
  | MessageContent
  | { readonly skill: AnySkill; readonly data: unknown; readonly text?: string | undefined };

const CONTENT = { 0: optionsSchema(new MessageContentShape()) };

export const NOT_JSON =
  '`data` must be JSON: no dates, functions, bigints, NaN or circles, at most 256 levels.';

/** What is called, by the name of the method in snake case. */
type CallName = 'call_peer' | 'send_to_peer' | 'stream_peer' | 'send_message' | 'stream_message';

/**
 * Starts a call.
 * @param senderId left out for an operator
 * @throws MoleculeError `invalid_argument` for a blank text and wrong values, `not_supported` for answers on a platform without questions.
 */
export function composeMessage(
  api: PlatformApi,
  name: CallName,
  targetId: string,
  content: AnyContent,
  options: SendMessageOptions,
  senderId?: string,
): OutgoingMessage {
  checkArguments(targetId, content, options);
  const metadata = metadataOf(api, content, options);
  const messageId = options.messageId ?? randomUUID();
  // A new conversation has the id of its first message, so that a repeat is the same message. Answers stay where the question was asked.
  const isInNewContext = !api.isOperator && options.answers === undefined;
  const contextId = options.contextId ?? (isInNewContext ? messageId : undefined);
  const operation = calls.start(`molecule ${name}`, () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'send',
    'messaging.message.id': messageId,
    'molecule.operation': name,
    'molecule.peer.id': targetId,
    'molecule.workspace.id': senderId,
  }));
  return {
    targetId,
    senderId,
    messageId,
    contextId: contextId ?? '',
    body: buildSendMessage({ messageId, parts: partsOf(content), contextId, metadata }),
    hasOwnId: options.messageId !== undefined,
    answerKey: answerKeyOf(api, targetId, messageId),
    operation,
  };
}

/** @throws MoleculeError `invalid_argument` naming the value: programs without types may give anything. */
function checkArguments(targetId: unknown, content: unknown, { metadata }: SendMessageOptions): void {
  const problem =
    stringProblem('The id of the workspace to send to', targetId) ??
    contentProblem(content) ??
    (isJson(metadata) ? null : '`metadata` must be an object that JSON can express.');
  if (problem !== null) throw invalidArgument(problem);
}

function contentProblem(content: unknown): string | null {
  if (!isJsonObject(content)) return stringProblem('The text of a message', content);
  const wrong = argumentProblem('The message', CONTENT, [content]);
  if (wrong !== null) return wrong.hint === undefined ? wrong.problem : `${wrong.problem} ${wrong.hint}`;
  const { text, data, skill } = content as MessageContent;
  if (skill !== undefined && idOfSkill(skill) === '')
    return 'The skill must be an id, or what defineSkill() returned.';
  if (data === undefined) return stringProblem('The text of a message without data', text);
  if (text !== undefined && typeof text !== 'string') return stringProblem('The text of a message', text);
  return JsonValue.safeParse(data).success ? null : NOT_JSON;
}

/** The text, unless it is blank, and the data. */
function partsOf(content: AnyContent): MessagePart[] {
  if (typeof content === 'string') return [textPart(content)];
  const { text = '', data } = content;
  return [
    ...(text.trim() === '' ? [] : [textPart(text)]),
    ...(data === undefined ? [] : [dataPart(data as JsonValue)]),
  ];
}

function idOfSkill(skill: unknown): string {
  const { id } = typeof skill === 'string' ? { id: skill } : (Object(skill) as Partial<AnySkill>);
  return id ?? '';
}

/**
 * Checks what is sent to a skill.
 * @throws MoleculeError `invalid_argument` that names the fields.
 */
export async function checkSent(content: AnyContent): Promise<AnySkill | undefined> {
  if (typeof content === 'string') return undefined;
  // Programs without types may give anything, which is refused where the message is made.
  const { skill, data } = Object(content) as { readonly skill?: AnySkill; readonly data?: unknown };
  if (typeof skill?.input?.check !== 'function') return undefined;
  const checked = await skill.input.check(data);
  if (!('problem' in checked)) return skill;
  throw invalidArgument(`The data does not fit the skill "${skill.id}". ${checked.problem}`);
}

/** The reply with the data as the skill returns it; one that failed as `agent_answer_invalid` where the answer does not fit. */
export async function checkReceived(reply: PeerReply, skill: AnySkill | undefined): Promise<PeerReply> {
  if (skill?.output.schema === undefined || reply.status !== 'answered') return reply;
  return withData(reply, await skill.output.check(reply.data));
}

function stringProblem(what: string, value: unknown): string | null {
  if (typeof value !== 'string')
    return `${what} must be a string, not ${value === null ? 'null' : typeof value}.`;
  return value.trim() === '' ? `${what} must not be blank.` : null;
}

/** `false` for a value that refers to itself, or has a bigint in it. */
function isJson(value: unknown): boolean {
  if (value === undefined) return true;
  try {
    return typeof value === 'object' && value !== null && JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

function metadataOf(
  api: PlatformApi,
  content: AnyContent,
  { answers, metadata: open }: SendMessageOptions,
): JsonObject | undefined {
  const skill = typeof content === 'string' ? undefined : content.skill;
  const metadata = skill === undefined ? open : { ...open, skill: idOfSkill(skill) };
  if (answers === undefined) return metadata;
  api.requireOffered(QUESTIONS);
  const given = answers.map(({ questionId, decision, text }) => ({
    question_id: questionId,
    decision,
    text,
  }));
  return { ...metadata, answers: given as JsonObject[] };
}

interface ProxyLimits extends CallLimits {
  /** How long the platform may hold the request for the answer, in whole seconds. @default slightly shorter than the time limit */
  readonly holdSeconds?: number | undefined;
}

/**
 * Sends one message through the platform and returns the answer. Retries use the same message id.
 * @param onAbandoned called when the caller aborts the call after the message may have reached the platform
 */
export async function sendThroughProxy(
  api: PlatformApi,
  message: OutgoingMessage,
  limits: ProxyLimits,
  onAbandoned: (message: OutgoingMessage) => void,
): Promise<PeerReply> {
  let isSent = false;
  const request = proxyRequest(message, limits, WITHOUT_JOINED_TEXT, () => {
    isSent = true;
  });
  try {
    const { body } = await api.send(routes.sendMessage, request);
    return proxyReply(api, message, body);
  } catch (error) {
    if (isSent && isAbandoned(message, limits.signal)) onAbandoned(message);
    return replyAfterFailure(api, message, limits.signal, error);
  }
}

/**
 * The reply to a message that the platform has given up.
 * @throws the reason of the signal when it has aborted, else `error`, which says where the answer is.
 */
export function replyAfterFailure(
  api: PlatformApi,
  message: OutgoingMessage,
  signal: AbortSignal | undefined,
  error: unknown,
): PeerReply {
  signal?.throwIfAborted();
  // With an HTTP error: the message has failed, as its record says.
  const isEnd = ApiError.isInstance(error) && error.status >= 500 && isFailedDelivery(error.details);
  if (isEnd) return proxyReply(api, message, error.details);
  throw withWayToAnswer(api, error, message);
}

/** Reads the body of a response of the platform to a message. */
export function proxyReply(api: PlatformApi, message: OutgoingMessage, body: unknown): PeerReply {
  const { targetId: peerId, messageId, contextId } = message;
  const hasNamedState = api.capabilities.words.has('outcomes');
  return readReply(body, { peerId, messageId, contextId, isWrapped: !api.isOperator, hasNamedState });
}

/** One attempt at a message through the platform, which is reported. */
export function proxyRequest(
  { targetId, body, operation }: OutgoingMessage,
  { signal, timeoutMs, holdSeconds = holdSecondsFor(timeoutMs) }: ProxyLimits,
  headers: Readonly<Record<string, string>>,
  onSent: () => void,
): Call<typeof routes.sendMessage> {
  operation.event('molecule.attempt', { 'molecule.via': 'proxy' });
  return {
    params: { id: targetId },
    body,
    timeoutMs,
    totalTimeoutMs: timeoutMs,
    headers: { ...headers, 'x-timeout': String(holdSeconds), ...traceHeaders(operation.trace) },
    goneWorkspaceId: targetId,
    relaysPeerText: true,
    signal,
    onSent,
  };
}

/** Whether the caller aborted the call of a message, and will not repeat it. */
export function isAbandoned(message: OutgoingMessage, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && !isRepeatedLater(signal.reason, message);
}

/** How long a call with this timeout may be held for its answer: 25 s of 30 s, 1 to 300 s. */
export function holdSecondsFor(timeoutMs: number): number {
  const marginMs = Math.min(MARGIN_MS, timeoutMs * MARGIN_SHARE);
  return Math.min(MAX_HOLD_SECONDS, Math.max(1, Math.floor((timeoutMs - marginMs) / 1_000)));
}

/**
 * Whether an aborted call will be repeated: an agent that is stopped, paused or out of time hands the message to its
 * handler again, which then calls with the same message id.
 */
export function isRepeatedLater(reason: unknown, { hasOwnId }: Pick<OutgoingMessage, 'hasOwnId'>): boolean {
  return hasOwnId && MoleculeError.isInstance(reason) && INTERRUPTIONS.has(reason.code);
}

/** Runs a call to its reply. */
export async function asCall(operation: Operation, work: () => Promise<PeerReply>): Promise<PeerReply> {
  try {
    const reply = await operation.run(work);
    endCall(operation, reply);
    return reply;
  } catch (error) {
    operation.end({ 'molecule.status': 'error' }, codeOfError(error));
    throw error;
  }
}

export function endCall(operation: Operation, { status, via, code }: PeerReply): void {
  const failure = code !== null && isErrorCode(code) ? code : 'failed';
  const facts = { 'molecule.status': status, 'molecule.via': via };
  operation.end(facts, status === 'failed' ? failure : undefined);
}
