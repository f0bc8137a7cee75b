import { inspect } from 'node:util';
import {
  extractAnswerText,
  extractParts,
  fenceNonceOf,
  fencePeerText,
  isErrorCode,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  Question,
  refencePeerText,
  stripA2aBoundary,
  unwrapPeerAnswer,
} from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { markReceived } from './received-values.ts';

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

const STATUSES: ReadonlySet<unknown> = new Set<PeerReplyStatus>([
  'answered',
  'unanswered',
  'failed',
  'canceled',
  'expired',
  'input-required',
  'queued',
]);

const WITHOUT_TEXT: ReadonlySet<PeerReplyStatus> = new Set(['queued', 'unanswered', 'canceled']);

export interface PeerReplyFields {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  /** `''` when it is not known. */
  readonly contextId: string;
  readonly code: string | null;
  readonly raw: JsonValue;
  readonly via: 'direct' | 'proxy';
  /** Whether the message is queued because the peer is paused. */
  readonly isHeld?: boolean | undefined;
  /** Whether the platform wrapped the texts in boundary markers. It does for workspaces, not for users. */
  readonly isWrapped: boolean;
}

/** A reply as plain JSON. Everything that a peer wrote is untrusted. */
export interface PeerReplyData {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly code: string | null;
  readonly via: 'direct' | 'proxy';
  readonly isHeld: boolean;
  /** The peer's text without boundary markers, for whoever reads the stored JSON; a restored reply takes it from `raw`. */
  readonly text: string;
  /** Of the fence that `forModel()` returns, so that a restored reply returns the same bytes. */
  readonly nonce: string;
  /** Whether the texts in `raw` have boundary markers. */
  readonly isWrapped: boolean;
  /** The response body. */
  readonly raw: JsonValue;
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
  #fenced: string | undefined;

  constructor(fields: PeerReplyFields, nonce?: string) {
    this.#fields = fields;
    if (nonce !== undefined) this.#fenced = refencePeerText(this.text, { origin: fields.peerId, nonce });
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

  /**
   * What the peer asks before it continues: `callPeer` answers questions of kind `text` from `sender` with `answers`,
   * people answer the others. Without boundary markers, untrusted.
   */
  get questions(): readonly Question[] {
    return this.status === 'input-required' ? questionsIn(this.#strippedBody()) : [];
  }

  /** The peer's text for a model, fenced. The same bytes each time, also after {@link toData}. */
  forModel(): string {
    this.#fenced ??= fencePeerText(this.text, { origin: this.#fields.peerId });
    return this.#fenced;
  }

  /**
   * The whole reply as plain JSON, for checkpoints, stored chats and artifacts; `peerReplyFromData` reads it. Contains
   * text of the peer, unfenced.
   */
  toData(): PeerReplyData {
    const { status, peerId, messageId, contextId, code, via, isHeld, text, raw } = this;
    const { isWrapped } = this.#fields;
    const nonce = fenceNonceOf(this.forModel()) ?? '';
    const data = { status, peerId, messageId, contextId, code, via, isHeld, text, nonce, isWrapped, raw };
    return markReceived(data, { kind: 'reply-data' });
  }

  /** Returns {@link forModel}. */
  toString(): string {
    return this.forModel();
  }

  /** Contains the fenced text, and the code if it is one of the platform: any other is a word of the peer. */
  toJSON(): Record<string, unknown> {
    const { status, code, peerId, messageId, contextId, via } = this;
    return {
      status,
      ...(code === null || !isErrorCode(code) ? {} : { code }),
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

  #received<Value>(value: Value): Value {
    return markReceived(value, { kind: 'reply-content', peerId: this.peerId });
  }

  #strippedBody(): JsonValue {
    const { raw, isWrapped } = this.#fields;
    this.#stripped ??= isWrapped ? unwrapPeerAnswer(raw) : raw;
    return this.#stripped;
  }
}

/** @param nonce the nonce of an earlier fence of this reply */
export function createReply(fields: PeerReplyFields, nonce?: string): PeerReply {
  return new ReceivedReply(fields, nonce);
}

/**
 * Reads what `PeerReply.toData` returned, also after it was stored as JSON.
 * @throws MoleculeError `invalid_argument` for anything else.
 */
export function peerReplyFromData(data: PeerReplyData): PeerReply {
  const problem = problemOf(data);
  if (problem !== null) {
    throw new MoleculeError(`This is not the data of a PeerReply: ${problem}.`, { code: 'invalid_argument' });
  }
  const { status, peerId, messageId, contextId, code, via, isHeld, nonce, isWrapped, raw } = data;
  const fields = { status, peerId, messageId, contextId, code, via, isHeld, isWrapped, raw };
  return createReply(fields, nonce);
}

function problemOf(data: unknown): string | null {
  if (!isJsonObject(data)) return 'it is not an object';
  const expected: Record<string, (value: unknown) => boolean> = {
    status: (value) => STATUSES.has(value),
    via: (value) => value === 'direct' || value === 'proxy',
    code: (value) => value === null || typeof value === 'string',
    raw: (value) => value !== undefined,
    isHeld: (value) => typeof value === 'boolean',
    isWrapped: (value) => typeof value === 'boolean',
  };
  for (const name of ['peerId', 'messageId', 'contextId', 'nonce'])
    expected[name] = (value) => typeof value === 'string';
  const wrong = Object.keys(expected).find((name) => !expected[name]?.(data[name]));
  return wrong === undefined ? null : `\`${wrong}\` is missing or has another type`;
}

/** The questions in the task of a reply; what is not a question is left out. */
function questionsIn(raw: JsonValue): Question[] {
  const result = isJsonObject(raw) ? raw.result : undefined;
  const status = isJsonObject(result) ? result.status : undefined;
  const message = isJsonObject(status) ? status.message : undefined;
  const metadata = isJsonObject(message) ? message.metadata : undefined;
  const list = isJsonObject(metadata) && Array.isArray(metadata.questions) ? metadata.questions : [];
  return list.flatMap((item) => {
    const read = Question.tolerant.safeParse(item);
    return read.success ? [read.data] : [];
  });
}
