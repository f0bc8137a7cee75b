import { createHash } from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';

const DEFAULT_CAPACITY = 1_000;

/** What a message is, by the rows and the senders' message ids seen before. */
type Novelty = 'new' | 'copy-of-finished' | 'copy-under-way';

/** Distinguishes copies of a message from new messages: those under way, and a bounded number of finished ones. */
export class MessageDedupe {
  readonly #finished: Set<string>;
  readonly #capacity: number;
  /** Rows of messages under way, the first one first, by the key of the message. */
  readonly #underWay = new Map<string, string[]>();

  /** @param finishedKeys What an earlier run remembered, oldest first. */
  constructor(finishedKeys: Iterable<string> = [], capacity = DEFAULT_CAPACITY) {
    this.#finished = new Set(finishedKeys);
    this.#capacity = capacity;
    this.#shrink();
  }

  /** Keys of messages finished lately, oldest first. */
  get finishedKeys(): ReadonlySet<string> {
    return this.#finished;
  }

  isFinished(row: string): boolean {
    return this.#finished.has(row);
  }

  isUnderWay(message: InboundMessage): boolean {
    return this.#underWay.has(keyOf(message));
  }

  /** Remembers the message as under way, or as a further row of what it is a copy of. */
  begin(message: InboundMessage): Novelty {
    const key = keyOf(message);
    if (this.#finished.has(key)) {
      this.#remember(message.id);
      return 'copy-of-finished';
    }
    const rows = this.#underWay.get(key);
    if (rows !== undefined) {
      rows.push(message.id);
      return 'copy-under-way';
    }
    this.#underWay.set(key, [message.id]);
    return 'new';
  }

  /** Returns the rows of the message and its copies, and the keys to remember; `undefined` if it is not under way. */
  finish(message: InboundMessage): { readonly rows: string[]; readonly keys: string[] } | undefined {
    const key = keyOf(message);
    const rows = this.#underWay.get(key);
    if (rows === undefined) return undefined;
    this.#underWay.delete(key);
    const keys = [...new Set([...rows, key])];
    this.#remember(...keys);
    return { rows, keys };
  }

  #remember(...keys: readonly string[]): void {
    for (const key of keys) {
      this.#finished.delete(key);
      this.#finished.add(key);
    }
    this.#shrink();
  }

  #shrink(): void {
    for (const key of this.#finished) {
      if (this.#finished.size <= this.#capacity) return;
      this.#finished.delete(key);
    }
  }
}

/**
 * What makes two rows the same message: sender, method and the sender's message id; without such an id, the row.
 * The method counts because a cancellation may repeat the id it cancels.
 */
function keyOf(message: InboundMessage): string {
  if (message.messageId === '') return message.id;
  const parts = [message.source, message.sourceId, message.method, message.inReplyTo, message.messageId];
  return `m:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)}`;
}
