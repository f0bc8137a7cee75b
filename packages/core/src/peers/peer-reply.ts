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
  stripA2aBoundary,
} from '@molecule-ai/protocol';

/**
 * `answered`: the peer's answer is here. `queued`: stored, not answered yet; ask with `waitForAnswer`.
 * `failed`: the peer, or the platform for it, answered an error; its words are in `text`.
 */
export type PeerReplyStatus = 'answered' | 'queued' | 'failed';

/** What a {@link PeerReply} is made of. */
export interface PeerReplyFacts {
  readonly status: PeerReplyStatus;
  readonly peerId: string;
  readonly messageId: string;
  readonly raw: JsonValue;
  readonly via: 'direct' | 'proxy';
  /** Whether the message waits because the peer is paused. */
  readonly isHeld?: boolean | undefined;
  /** Whether the platform put markers around the texts. It does for workspaces, not for people. */
  readonly isWrapped: boolean;
}

/**
 * What came back from a peer. Everything a peer wrote is untrusted. For a model use {@link forModel}; a template
 * string and `JSON.stringify` give the fenced form as well, so that raw text never gets into a prompt by accident.
 */
export class PeerReply {
  readonly #facts: PeerReplyFacts;
  #stripped: JsonValue | undefined;
  #text: string | undefined;

  constructor(facts: PeerReplyFacts) {
    this.#facts = facts;
  }

  get status(): PeerReplyStatus {
    return this.#facts.status;
  }

  /** The workspace that the message went to. */
  get peerId(): string {
    return this.#facts.peerId;
  }

  /** The id of the message that was sent; the same id asks for its answer and makes a repeat harmless. */
  get messageId(): string {
    return this.#facts.messageId;
  }

  /** Which way the answer came. */
  get via(): 'direct' | 'proxy' {
    return this.#facts.via;
  }

  /** Whether a queued message waits because the peer is paused. */
  get isHeld(): boolean {
    return this.#facts.isHeld ?? false;
  }

  /** The body as it came, boundary markers included. Untrusted. */
  get raw(): JsonValue {
    return this.#facts.raw;
  }

  /**
   * The peer's text without boundary markers, for programs and people; `''` while it is queued. Untrusted: it goes
   * to a model through {@link forModel} only, and is never rendered as HTML.
   */
  get text(): string {
    this.#text ??= this.#facts.status === 'queued' ? '' : extractAnswerText(this.#strippedBody());
    return this.#text;
  }

  /** The parts of the answer, texts without boundary markers. Untrusted. */
  get parts(): readonly JsonObject[] {
    return this.#facts.status === 'queued' ? [] : extractParts(this.#strippedBody());
  }

  /** The peer's text, fenced with a fresh nonce for a model. */
  forModel(): string {
    return fencePeerText(this.text, { origin: this.#facts.peerId });
  }

  /** The same as {@link forModel}. */
  toString(): string {
    return this.forModel();
  }

  /** For logs and JSON: the facts, and the fenced text. */
  toJSON(): Record<string, unknown> {
    const { status, peerId, messageId, via } = this;
    return { status, peerId, messageId, via, text: this.forModel() };
  }

  /** Shows no text at all. */
  [inspect.custom](): string {
    return `PeerReply { status: '${this.status}', messageId: ${JSON.stringify(this.messageId)}, via: '${this.via}', text: [${this.text.length} characters] }`;
  }

  #strippedBody(): JsonValue {
    const { raw, isWrapped } = this.#facts;
    this.#stripped ??= isWrapped ? mapAnswerText(raw, stripA2aBoundary) : raw;
    return this.#stripped;
  }
}

/** Reads the answer of an A2A call: an answer, an error of the peer, or "stored". */
export function readReply(
  body: unknown,
  facts: { peerId: string; messageId: string; isWrapped: boolean },
): PeerReply {
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedResponse(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  return new PeerReply({ ...facts, status: isQueued ? 'queued' : statusOf(raw), raw, via: 'proxy', isHeld });
}

/** Reads where a sent message stands. */
export function readRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
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
  return hasError && raw.result === undefined ? 'failed' : 'answered';
}
