import { inspect } from 'node:util';
import {
  extractAnswerText,
  extractParts,
  fencePeerText,
  isJsonObject,
  isQueuedResponse,
  type JsonObject,
  type JsonValue,
  type MessageRecord,
  mapAnswerText,
  messageStateOfTask,
  stripA2aBoundary,
} from '@molecule-ai/protocol';

/**
 * `answered`: the peer has answered. `queued`: stored, not answered yet; use `waitForAnswer`. `failed`: the peer or the
 * platform returned an error; `text` contains its message.
 */
export type PeerReplyStatus = 'answered' | 'queued' | 'failed';

export interface PeerReplyFields {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  readonly raw: JsonValue;
  readonly via: 'direct' | 'proxy';
  /** Whether the message is queued because the peer is paused. */
  readonly isHeld?: boolean | undefined;
  /** Whether the platform wrapped the texts in boundary markers. It does for workspaces, not for users. */
  readonly isWrapped: boolean;
}

/**
 * The reply to a message. Everything that a peer wrote is untrusted. For a model use {@link forModel}; template strings
 * and `JSON.stringify` return the fenced form as well, so that raw text does not get into a prompt by accident.
 */
export class PeerReply {
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
   * The peer's text without boundary markers, for programs and users; `''` while queued. Untrusted: pass it to a model
   * through {@link forModel} only, and never render it as HTML.
   */
  get text(): string {
    this.#text ??= this.#fields.status === 'queued' ? '' : extractAnswerText(this.#strippedBody());
    return this.#text;
  }

  /** The parts of the answer, without boundary markers. Untrusted. */
  get parts(): readonly JsonObject[] {
    return this.#fields.status === 'queued' ? [] : extractParts(this.#strippedBody());
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
    const { status, peerId, messageId, via } = this;
    return { status, peerId, messageId, via, text: this.forModel() };
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

/** Reads the response to an A2A call: an answer, an error, or queued. */
export function readReply(
  body: unknown,
  facts: { peerId: string; messageId: string; isWrapped: boolean },
): PeerReply {
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedResponse(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  return new PeerReply({ ...facts, status: isQueued ? 'queued' : statusOf(raw), raw, via: 'proxy', isHeld });
}

/** Reads the state of a sent message. */
export function readMessageRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
  const facts = { peerId: record.target_id, messageId: record.message_id, via: 'proxy' as const, ...options };
  if (record.answer !== null && record.answer !== undefined) {
    const raw = record.answer as JsonValue;
    return new PeerReply({ ...facts, status: statusOf(raw), raw });
  }
  if (record.state === 'failed') {
    const message = record.error?.error ?? 'The message failed.';
    return new PeerReply({
      ...facts,
      status: 'failed',
      raw: { error: message, code: record.error?.code ?? null },
    });
  }
  return new PeerReply({ ...facts, status: 'queued', raw: null, isHeld: record.held });
}

function statusOf(raw: JsonValue): PeerReplyStatus {
  if (!isJsonObject(raw)) return 'answered';
  const hasError = raw.error !== undefined && raw.error !== null;
  if (hasError && raw.result === undefined) return 'failed';
  const { result } = raw;
  const isTask = isJsonObject(result) && result.kind === 'task';
  const state = isTask ? messageStateOfTask(result) : null;
  return state === 'failed' || state === 'expired' || state === 'canceled' ? 'failed' : 'answered';
}
