import crypto from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import { LazyMap } from '../../collections/lazy-map.ts';
import { FinishedKeys, type FinishedKeysLimits, keyOf } from './finished-keys.ts';

type Novelty = 'new' | 'copy-of-finished' | 'copy-of-pending';

/** Detects copies of pending messages and of a limited number of finished ones. */
export class MessageDedupe {
  readonly #finished: FinishedKeys;
  /** Rows of pending messages in order of arrival, by message key. */
  readonly #pending = new LazyMap<string, string[]>();

  /** @param finishedKeys The stored keys of an earlier run, oldest first. */
  constructor(finishedKeys: Iterable<string> = [], limits?: FinishedKeysLimits) {
    this.#finished = new FinishedKeys(limits);
    this.#remember(finishedKeys);
  }

  /** Keys of finished messages to store. */
  get finishedKeys(): readonly string[] {
    return this.#finished.all;
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
      this.#finished.add(message.id);
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
    this.#remember(keys);
    return { rows, keys };
  }

  #remember(keys: Iterable<string>): void {
    for (const key of keys) this.#finished.add(key);
  }
}

/** A message is asked for its key at each step of its handling. */
const keys = new WeakMap<InboundMessage, string>();

/**
 * Two rows are the same message if sender and the sender's message id are equal, whatever else they say. A row without
 * message id is a message of its own. A cancellation can have the id of the message it cancels.
 */
export function messageKey(message: InboundMessage): string {
  if (message.messageId === '') return message.id;
  const known = keys.get(message);
  if (known !== undefined) return known;
  const { messageId, method, source, sourceId } = message;
  const identity = [source, sourceId, method === 'cancel_task', messageId];
  const key = keyOf(hashOf([source, sourceId]), hashOf(identity).slice(0, 22));
  keys.set(message, key);
  return key;
}

function hashOf(parts: readonly unknown[]): string {
  return crypto.hash('sha256', JSON.stringify(parts), 'base64url');
}
