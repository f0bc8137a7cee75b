import {
  dataOfParts,
  extractAnswerText,
  extractParts,
  type InboundMessage,
  isErrorCode,
  isJsonObject,
  isMessageState,
  isQueuedResponse,
  type JsonObject,
  type JsonValue,
  lateEndIn,
  type MessageRecord,
  type MessageState,
  messageStateOfTask,
  Question,
  stripA2aBoundary,
  unwrapPeerAnswer,
} from '@molecule-ai/protocol';
import { invalidArgument } from '../errors/molecule-error.ts';
import { INSPECT } from '../settings/node-types.ts';
import type { CheckedData } from '../skills/skill.ts';
import { fencePeerText, type ModelText } from '../trust-boundary/fence.ts';
import { markReceived } from './received-values.ts';

const STATUS_OF = {
  queued: 'queued',
  delivered: 'queued',
  input_required: 'input-required',
  answered: 'answered',
  unanswered: 'unanswered',
  failed: 'failed',
  canceled: 'canceled',
  expired: 'expired',
} as const satisfies { readonly [State in MessageState]: string };

/**
 * `answered`: the peer's answer is here. `queued`: stored or being handled, not ended yet; ask with `waitForAnswer`.
 * `unanswered`: the peer handled the message and says nothing. `failed`: the peer, or the platform for it, reports an
 * error; its words are in `text`, its code in `code`. `canceled`: the sender or an operator canceled it. `expired`:
 * nobody handled it in time. `input-required`: the peer asks something before it continues; its words are in `text`.
 */
export type PeerReplyStatus = (typeof STATUS_OF)[MessageState];

const WITHOUT_TEXT: ReadonlySet<PeerReplyStatus> = new Set(['queued', 'unanswered', 'canceled']);

/** A reply as plain JSON. Everything that a peer wrote is untrusted. */
export interface PeerReplyData {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  /** `''` when it is not known. */
  readonly contextId: string;
  readonly code: string | null;
  readonly via: 'direct' | 'proxy';
  /** Whether the message is queued because the peer is paused. */
  readonly isHeld: boolean;
  /** The peer's text without boundary markers, for whoever reads the stored JSON; a restored reply takes it from `raw`. */
  readonly text: string;
  /** Whether the texts in `raw` have boundary markers: a platform wraps those of workspaces, not those of users. */
  readonly isWrapped: boolean;
  /** The response body. */
  readonly raw: JsonValue;
}

/** What a reply is made of. */
export interface PeerReplyFields extends Omit<PeerReplyData, 'isHeld' | 'text'> {
  readonly isHeld?: boolean | undefined;
}

/**
 * The reply to a message; read {@link status} first. Everything that a peer wrote is untrusted. For a model use `forModel()`; template
 * strings and `JSON.stringify` return the fenced form as well, so that raw text does not get into a prompt by accident.
 *
 * @example
 * const reply = await client.callPeer(peerId, 'Can we ship?');
 * if (reply.status === 'answered') console.log(reply.text);
 */
export interface PeerReply<Data = JsonValue>
  extends Omit<ReceivedReply, typeof INSPECT | 'data' | 'withData'> {
  /**
   * The structured data of the answer: that of its only data part, without boundary markers; `undefined` for none, and for several, which are in
   * `parts`. Untrusted, and of any shape; of a skill that was asked with its definition, checked and as its schema returns it.
   */
  readonly data: Data | undefined;
}

class ReceivedReply {
  readonly #fields: PeerReplyFields;
  #stripped: JsonValue | undefined;
  #text: string | undefined;
  #fenced: ModelText | undefined;
  /** As the schema of a skill returns it. */
  readonly #data: { readonly value: unknown } | undefined;

  constructor(fields: PeerReplyFields, data?: { readonly value: unknown }) {
    this.#fields = fields;
    this.#data = data;
  }

  /**
   * `answered`: the answer is in `text`, `parts` and `forModel()`. `queued`: not ended yet, `client.waitForAnswer(messageId)` waits on.
   * `input-required`: the peer asks something first, see `questions`; `client.callPeer` with `answers` continues. `unanswered`: handled,
   * and the peer says nothing. `failed`: `code` and `text` say why. `canceled`; `expired`: nobody handled it in time.
   */
  get status(): PeerReplyStatus {
    return this.#fields.status;
  }

  /** The workspace that the message was sent to. */
  get peerId(): string {
    return this.#fields.peerId;
  }

  /** The id of the message that was sent: for `waitForAnswer`, and to repeat the call safely. */
  get messageId(): string {
    return this.#fields.messageId;
  }

  /** The conversation; pass it to `callPeer` to continue it. `''` when it is not known. */
  get contextId(): string {
    return this.#fields.contextId;
  }

  /** Why it failed, as a short machine word of the platform or the peer; `null` for other states. */
  get code(): string | null {
    return this.#fields.code;
  }

  get via(): 'direct' | 'proxy' {
    return this.#fields.via;
  }

  /** Whether the message is queued because the peer is paused. */
  get isHeld(): boolean {
    return this.#fields.isHeld ?? false;
  }

  /** The response body, including boundary markers. Untrusted. */
  get raw(): JsonValue {
    return this.#received(this.#fields.raw);
  }

  /**
   * The peer's text without boundary markers, for programs and people; `''` without one, see {@link status}. Untrusted: it goes
   * through {@link forModel} only, and never render it as HTML.
   */
  get text(): string {
    const { status, raw, isWrapped } = this.#fields;
    this.#text ??= WITHOUT_TEXT.has(status)
      ? ''
      : extractAnswerText(raw, isWrapped ? stripA2aBoundary : undefined);
    return this.#text;
  }

  /** The parts of the answer, without boundary markers. Untrusted. */
  get parts(): readonly JsonObject[] {
    const parts = WITHOUT_TEXT.has(this.status) ? [] : extractParts(this.#strippedBody());
    for (const part of parts) for (const value of [part, part.data, part.file]) this.#received(value);
    return parts;
  }

  get data(): JsonValue | undefined {
    return this.#data === undefined ? dataOfParts(this.parts) : (this.#data.value as JsonValue);
  }

  /** The reply with data that was checked, or one that failed. */
  withData(checked: CheckedData<unknown>): ReceivedReply {
    if ('data' in checked) return new ReceivedReply(this.#fields, { value: checked.data });
    const error = `The answer does not fit the skill. ${checked.problem}`;
    return new ReceivedReply({
      ...this.#fields,
      status: 'failed',
      code: 'agent_answer_invalid',
      isWrapped: false,
      raw: { error },
    });
  }

  /**
   * What the peer asks before it continues: `callPeer` answers questions of kind `text` from `sender` with `answers`,
   * people answer the others. Without boundary markers, untrusted.
   */
  get questions(): readonly Question[] {
    return this.status === 'input-required' ? questionsIn(this.#strippedBody()) : [];
  }

  /** The peer's text for a model, fenced. The same bytes each time, also after {@link toData}. */
  forModel(): ModelText {
    this.#fenced ??= fencePeerText(this.text, { origin: this.#fields.peerId });
    return this.#fenced;
  }

  /**
   * The whole reply as plain JSON, for checkpoints, stored chats and artifacts; `peerReplyFromData` reads it. Contains
   * text of the peer, unfenced.
   */
  toData(): PeerReplyData {
    const { isHeld, text, raw } = this;
    const data: PeerReplyData = { ...this.#fields, isHeld, text, raw };
    return markReceived(data, { kind: 'reply-data' });
  }

  /** Returns {@link forModel}. */
  toString(): string {
    return this.forModel();
  }

  /** Contains the fenced text, and the code if it is one of the platform: any other is a word of the peer. */
  toJSON(): Record<string, unknown> {
    const { status, code, peerId, messageId, contextId, via } = this;
    const shown = code === null || !isErrorCode(code) ? {} : { code };
    return { status, ...shown, peerId, messageId, contextId, via, text: this.forModel() };
  }

  /** Contains no text of the peer. */
  [INSPECT](): string {
    return `PeerReply { status: '${this.status}', messageId: ${JSON.stringify(this.messageId)}, via: '${this.via}', text: [${this.text.length} characters] }`;
  }

  #received<Value>(value: Value): Value {
    return markReceived(value, { kind: 'reply-content', peerId: this.peerId });
  }

  #strippedBody(): JsonValue {
    const { raw, isWrapped } = this.#fields;
    this.#stripped ??= isWrapped ? unwrapPeerAnswer(raw) : raw;
    return this.#stripped;
  }
}

export function createReply(fields: PeerReplyFields): PeerReply {
  return new ReceivedReply(fields);
}

/** The reply with data that a skill has checked; one that failed where the data does not fit. */
export function withData(reply: PeerReply, checked: CheckedData<unknown>): PeerReply {
  return (reply as ReceivedReply).withData(checked);
}

/**
 * Reads what `PeerReply.toData` returned, also after it was stored as JSON.
 * @throws MoleculeError `invalid_argument` for anything else.
 */
export function peerReplyFromData(data: PeerReplyData): PeerReply {
  const problem = problemOf(data);
  if (problem !== null) throw invalidArgument(`This is not the data of a PeerReply: ${problem}.`);
  return createReply({ ...data });
}

function problemOf(data: unknown): string | null {
  if (!isJsonObject(data)) return 'it is not an object';
  const isText = (value: unknown) => typeof value === 'string';
  const isFlag = (value: unknown) => typeof value === 'boolean';
  const expected: Record<string, (value: unknown) => boolean> = {
    status: (value) => Object.values<unknown>(STATUS_OF).includes(value),
    via: (value) => value === 'direct' || value === 'proxy',
    code: (value) => value === null || isText(value),
    raw: (value) => value !== undefined,
    isHeld: isFlag,
    isWrapped: isFlag,
    peerId: isText,
    messageId: isText,
    contextId: isText,
  };
  const wrong = Object.keys(expected).find((name) => !expected[name]?.(data[name]));
  return wrong === undefined ? null : `\`${wrong}\` is missing or has another type`;
}

/** The questions in the task of a reply; what is not a question is left out. */
function questionsIn(raw: JsonValue): Question[] {
  const list = valueIn(raw, 'result', 'status', 'message', 'metadata', 'questions');
  return (Array.isArray(list) ? list : []).flatMap((item) => {
    const read = Question.tolerant.safeParse(item);
    return read.success ? [read.data] : [];
  });
}

/** The value at a path of fields; `undefined` where there is none. */
export function valueIn(value: JsonValue, ...path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (inner, name) => (isJsonObject(inner) ? inner[name] : undefined),
    value,
  );
}

/** A code is a word for programs. A peer can write anything there, and a model may see it. */
const CODE = /^[a-z\d][\w.-]{0,63}$/i;

/** The message that a response belongs to, and how the response came. */
export interface ReplyFacts {
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId?: string | undefined;
  readonly isWrapped: boolean;
  /** @default 'proxy' */
  readonly via?: PeerReply['via'] | undefined;
  /**
   * Whether `metadata` of a task is of who says how the message ended: a platform takes the state and the code out of the
   * tasks of agents; a peer speaks for itself. @default for direct replies only
   */
  readonly hasNamedState?: boolean | undefined;
}

/** Reads the response to an A2A call: an answer, the task of another end, an error, or queued. */
export function readReply(body: unknown, facts: ReplyFacts): PeerReply {
  const { peerId, messageId, isWrapped, via = 'proxy', hasNamedState = via === 'direct' } = facts;
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedResponse(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  const contextId = facts.contextId || contextIn(raw);
  const status = isQueued ? 'queued' : statusOf(raw, via, hasNamedState);
  const code = codeOf(raw, hasNamedState);
  return createReply({ status, peerId, messageId, contextId, code, via, isWrapped, raw, isHeld });
}

/** Reads a message that brings the end of a sent one: an answer, or another end. The platform wraps what a peer wrote. */
export function readReplyMessage(
  { messageId, parts, metadata }: Pick<InboundMessage, 'messageId' | 'parts' | 'metadata'>,
  sent: Omit<ReplyFacts, 'isWrapped' | 'hasNamedState'>,
): PeerReply {
  const end = lateEndIn(metadata);
  const { questions = [] } = metadata;
  const asked = end?.state === 'input_required' ? { metadata: { questions } } : {};
  const message = { kind: 'message', role: 'agent', messageId, parts: [...parts], ...asked };
  const { messageId: id, contextId } = sent;
  const status = { state: 'unknown', message };
  const task = { kind: 'task', id, contextId, status, metadata: { message_id: id, ...end } };
  const result = end === null ? message : task;
  return readReply({ jsonrpc: '2.0', id, result }, { ...sent, isWrapped: true, hasNamedState: true });
}

/** Reads the state of a sent message. */
export function readMessageRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
  const raw = (record.answer ?? null) as JsonValue;
  const status = isMessageState(record.state) ? STATUS_OF[record.state] : null;
  // The task of any other end than an answer is the platform's.
  const isEnd = status !== null && status !== 'queued' && status !== 'answered';
  const isFailure = status === 'failed' || status === 'expired';
  const { error, code = null } = record.error ?? {};
  const failure = isFailure ? { error: error ?? `The message ${status}.`, code } : null;
  return createReply({
    ...options,
    status: raw === null || isEnd ? (status ?? 'queued') : statusOf(raw, 'proxy', false),
    peerId: record.target_id,
    messageId: record.message_id,
    contextId: record.context_id || contextIn(raw),
    code: codeOf(raw, isEnd) ?? code,
    via: 'proxy',
    raw: raw ?? failure,
    isHeld: raw === null && !isFailure && record.held,
  });
}

/**
 * A task names its state. What the platform passes on from a peer that does not is an answer, because the platform has ended the
 * message; a task that came directly shows where its message is.
 */
function statusOf(raw: JsonValue, via: PeerReply['via'], hasNamedState: boolean): PeerReplyStatus {
  if (!isJsonObject(raw)) return 'answered';
  if (raw.error !== undefined && raw.error !== null && raw.result === undefined) return 'failed';
  const task = taskIn(raw);
  if (task === undefined) return 'answered';
  const named = hasNamedState && isJsonObject(task.metadata) ? task.metadata.state : undefined;
  if (isMessageState(named)) return STATUS_OF[named];
  const state = messageStateOfTask({ status: task.status ?? null });
  if (state === null) return 'answered';
  if (via === 'proxy') return STATUS_OF[state] === 'queued' ? 'answered' : STATUS_OF[state];
  const isEmpty = state === 'answered' && extractAnswerText(raw) === '' && extractParts(raw).length === 0;
  return isEmpty ? 'unanswered' : STATUS_OF[state];
}

function taskIn(raw: JsonObject): JsonObject | undefined {
  const { result } = raw;
  if (!isJsonObject(result)) return undefined;
  const task = isJsonObject(result.task) ? result.task : result;
  return task.kind === 'task' || task !== result || isJsonObject(task.status) ? task : undefined;
}

function contextIn(raw: JsonValue): string {
  const places = [['contextId'], ['task', 'contextId'], ['message', 'contextId']];
  const ids = places.map((place) => valueIn(raw, 'result', ...place));
  return ids.find((id) => typeof id === 'string') ?? '';
}

function codeOf(raw: JsonValue, hasNamedState: boolean): string | null {
  if (!isJsonObject(raw)) return null;
  const metadata = hasNamedState ? taskIn(raw)?.metadata : undefined;
  const data = raw.error === undefined ? undefined : valueIn(raw.error, 'data');
  const { code } = [metadata, data].find(isJsonObject) ?? raw;
  return typeof code === 'string' && CODE.test(code) ? code : null;
}
