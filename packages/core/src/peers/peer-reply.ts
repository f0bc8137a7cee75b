import { inspect } from 'node:util';
import {
  extractAnswerText,
  extractParts,
  fencePeerText,
  isJsonObject,
  isMessageState,
  isQueuedResponse,
  type JsonObject,
  type JsonValue,
  type MessageRecord,
  type MessageState,
  mapAnswerText,
  messageStateOfTask,
  stripA2aBoundary,
} from '@molecule-ai/protocol';

/**
 * `answered`: the peer's answer is here. `queued`: stored or being handled, not ended yet; ask with `waitForAnswer`.
 * `unanswered`: the peer handled the message and says nothing. `failed`: the peer, or the platform for it, reports an
 * error; its words are in `text`, its code in `code`. `canceled`: the sender or an operator canceled it. `expired`:
 * nobody handled it in time. `input-required`: the peer asks something before it continues; its words are in `text`.
 */
export type PeerReplyStatus =
  | 'answered'
  | 'unanswered'
  | 'failed'
  | 'canceled'
  | 'expired'
  | 'input-required'
  | 'queued';

const STATUS_OF: { readonly [State in MessageState]: PeerReplyStatus } = {
  queued: 'queued',
  delivered: 'queued',
  input_required: 'input-required',
  answered: 'answered',
  unanswered: 'unanswered',
  failed: 'failed',
  canceled: 'canceled',
  expired: 'expired',
};

const WITHOUT_TEXT: ReadonlySet<PeerReplyStatus> = new Set(['queued', 'unanswered', 'canceled']);

export interface PeerReplyFields {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  /** `''` when it is not known. */
  readonly contextId: string;
  readonly code?: string | null | undefined;
  readonly raw: JsonValue;
  readonly via: 'direct' | 'proxy';
  /** Whether the message is queued because the peer is paused. */
  readonly isHeld?: boolean | undefined;
  /** Whether the platform wrapped the texts in boundary markers. It does for workspaces, not for users. */
  readonly isWrapped: boolean;
}

/**
 * The reply to a message. Everything that a peer wrote is untrusted. For a model use `forModel()`; template strings
 * and `JSON.stringify` return the fenced form as well, so that raw text does not get into a prompt by accident.
 */
export interface PeerReply extends Omit<ReceivedReply, typeof inspect.custom> {}

class ReceivedReply {
  readonly #fields: PeerReplyFields;
  #stripped: JsonValue | undefined;
  #text: string | undefined;

  constructor(fields: PeerReplyFields) {
    this.#fields = fields;
  }

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
    return this.#fields.code ?? codeOf(this.#fields.raw);
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
    return this.#fields.raw;
  }

  /**
   * The peer's text without boundary markers, for programs and people; `''` without one, see {@link status}. Untrusted: it goes
   * through {@link forModel} only, and never render it as HTML.
   */
  get text(): string {
    this.#text ??= WITHOUT_TEXT.has(this.status) ? '' : extractAnswerText(this.#strippedBody());
    return this.#text;
  }

  /** The parts of the answer, without boundary markers. Untrusted. */
  get parts(): readonly JsonObject[] {
    return WITHOUT_TEXT.has(this.status) ? [] : extractParts(this.#strippedBody());
  }

  /** The peer's text for a model, fenced with a new nonce. */
  forModel(): string {
    return fencePeerText(this.text, { origin: this.#fields.peerId });
  }

  /** Returns {@link forModel}. */
  toString(): string {
    return this.forModel();
  }

  /** Contains the fenced text. */
  toJSON(): Record<string, unknown> {
    const { status, code, peerId, messageId, contextId, via } = this;
    return {
      status,
      ...(code === null ? {} : { code }),
      peerId,
      messageId,
      contextId,
      via,
      text: this.forModel(),
    };
  }

  /** Contains no text of the peer. */
  [inspect.custom](): string {
    return `PeerReply { status: '${this.status}', messageId: ${JSON.stringify(this.messageId)}, via: '${this.via}', text: [${this.text.length} characters] }`;
  }

  #strippedBody(): JsonValue {
    const { raw, isWrapped } = this.#fields;
    this.#stripped ??= isWrapped ? mapAnswerText(raw, stripA2aBoundary) : raw;
    return this.#stripped;
  }
}

/** Reads the response to an A2A call: an answer, the task of another end, an error, or queued. */
export function readReply(
  body: unknown,
  facts: { peerId: string; messageId: string; contextId?: string | undefined; isWrapped: boolean },
): PeerReply {
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedResponse(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  const contextId = facts.contextId || contextIn(raw);
  const status = isQueued ? 'queued' : statusOf(raw);
  return new ReceivedReply({ ...facts, contextId, status, raw, via: 'proxy', isHeld });
}

/** Reads the state of a sent message. */
export function readMessageRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
  const raw = (record.answer ?? null) as JsonValue;
  const fields = {
    peerId: record.target_id,
    messageId: record.message_id,
    contextId: record.context_id || contextIn(raw),
    code: codeOf(raw) ?? record.error?.code,
    via: 'proxy' as const,
    ...options,
  };
  const status = isMessageState(record.state) ? STATUS_OF[record.state] : null;
  if (raw !== null) {
    const isNamed = status !== null && status !== 'queued' && status !== 'answered';
    const read = statusOf(raw);
    return new ReceivedReply({
      ...fields,
      status: isNamed ? status : read === 'queued' ? 'answered' : read,
      raw,
    });
  }
  if (status === 'failed' || status === 'expired') {
    const error = record.error?.error ?? `The message ${status === 'failed' ? 'failed' : 'expired'}.`;
    return new ReceivedReply({ ...fields, status, raw: { error, code: record.error?.code ?? null } });
  }
  return new ReceivedReply({ ...fields, status: status ?? 'queued', raw, isHeld: record.held });
}

/** A task names its state; one that a peer made and is not over is what the peer answers. */
function statusOf(raw: JsonValue): PeerReplyStatus {
  if (!isJsonObject(raw)) return 'answered';
  if (raw.error !== undefined && raw.error !== null && raw.result === undefined) return 'failed';
  const task = taskIn(raw);
  const state = task === undefined ? null : messageStateOfTask(task);
  if (task === undefined || state === null) return 'answered';
  const isNamed = isJsonObject(task.metadata) && isMessageState(task.metadata.state);
  return !isNamed && STATUS_OF[state] === 'queued' ? 'answered' : STATUS_OF[state];
}

function taskIn(raw: JsonObject): JsonObject | undefined {
  const { result } = raw;
  if (!isJsonObject(result)) return undefined;
  const task = isJsonObject(result.task) ? result.task : result;
  return task.kind === 'task' || task !== result || isJsonObject(task.status) ? task : undefined;
}

function contextIn(raw: JsonValue): string {
  const result = isJsonObject(raw) ? raw.result : undefined;
  if (!isJsonObject(result)) return '';
  const inner = [result, result.task, result.message].find(
    (place) => isJsonObject(place) && typeof place.contextId === 'string',
  );
  return isJsonObject(inner) && typeof inner.contextId === 'string' ? inner.contextId : '';
}

function codeOf(raw: JsonValue): string | null {
  if (!isJsonObject(raw)) return null;
  const metadata = taskIn(raw)?.metadata;
  const code = isJsonObject(metadata) ? metadata.code : raw.code;
  return typeof code === 'string' ? code : null;
}
