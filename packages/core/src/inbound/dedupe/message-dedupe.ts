import { createHash } from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import { STREAM_METHODS } from '../../inbound-http/inbound-call.ts';

const DEFAULT_CAPACITY = 1_000;

type Novelty = 'new' | 'copy-of-finished' | 'copy-of-pending';

/** Detects copies of pending messages and of a limited number of finished ones. */
export class MessageDedupe {
  readonly #finished: Set<string>;
  readonly #capacity: number;
  /** Rows of pending messages in order of arrival, by message key. */
  readonly #pending = new Map<string, string[]>();

  /** @param finishedKeys The stored keys of an earlier run, oldest first. */
  constructor(finishedKeys: Iterable<string> = [], capacity = DEFAULT_CAPACITY) {
    this.#finished = new Set(finishedKeys);
    this.#capacity = capacity;
    this.#shrink();
  }

  /** Keys of recently finished messages, oldest first. */
  get finishedKeys(): ReadonlySet<string> {
    return this.#finished;
  }

  isFinished(row: string): boolean {
    return this.#finished.has(row);
  }

  isPending(message: InboundMessage): boolean {
    return this.#pending.has(messageKey(message));
  }

  /** Whether the message, as this or another row, was finished. */
  isFinishedCopy(message: InboundMessage): boolean {
    return this.#finished.has(message.id) || this.#finished.has(messageKey(message));
  }

  /** The rows of a pending message, the first one first; empty for any other. */
  pendingRows(message: InboundMessage): readonly string[] {
    return this.#pending.get(messageKey(message)) ?? [];
  }

  /** Takes back a {@link begin}: the message is as new. */
  forget(message: InboundMessage): void {
    this.#pending.delete(messageKey(message));
  }

  /** Records the message as pending, or its row as a copy. */
  begin(message: InboundMessage): Novelty {
    const key = messageKey(message);
    if (this.#finished.has(key)) {
      this.#remember(message.id);
      return 'copy-of-finished';
    }
    const rows = this.#pending.get(key);
    if (rows !== undefined) {
      rows.push(message.id);
      return 'copy-of-pending';
    }
    this.#pending.set(key, [message.id]);
    return 'new';
  }

  /** Returns the rows of the message and its copies, and the keys to store; `undefined` if it is not pending. */
  finish(message: InboundMessage): { readonly rows: string[]; readonly keys: string[] } | undefined {
    const key = messageKey(message);
    const rows = this.#pending.get(key);
    if (rows === undefined) return undefined;
    this.#pending.delete(key);
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
 * Two rows are the same message if sender, method and the sender's message id are equal. A row without message id is a
 * message of its own. The method is included because a cancellation can have the id of the message it cancels; one that asks for
 * a stream is the same as one that does not.
 */
export function messageKey(message: InboundMessage): string {
  if (message.messageId === '') return message.id;
  const method = STREAM_METHODS.has(message.method) ? 'message/send' : message.method;
  const parts = [message.source, message.sourceId, method, message.inReplyTo, message.messageId];
  return `m:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)}`;
}
