import crypto from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import { LatestMap } from '../storage/latest-map.ts';

const SENDER_LENGTH = 8;
const KEY_PREFIX = 'm:';

/** Rows are only needed while a part of the feed is read again. */
const LIMITS = { rows: 1_000, keys: 100_000 };

/**
 * What is remembered of finished messages: the latest rows, and the keys of messages, which are divided among their
 * senders: the oldest keys of those who have most are dropped first, so that nobody removes those of others.
 */
export class FinishedKeys {
  readonly #limits: typeof LIMITS;
  readonly #rows: LatestMap<true>;
  /** Oldest first, by sender. */
  readonly #keys = new Map<string, Set<string>>();
  #count = 0;

  constructor(limits = LIMITS) {
    this.#limits = limits;
    this.#rows = new LatestMap(limits.rows);
  }

  has(key: string): boolean {
    return key.startsWith(KEY_PREFIX)
      ? this.#keys.get(senderIn(key))?.has(key) === true
      : this.#rows.has(key);
  }

  add(key: string): void {
    if (key.startsWith(KEY_PREFIX)) this.#addKey(key);
    else this.#rows.set(key, true);
  }

  /** Rows, then keys; those of one sender oldest first. */
  get all(): string[] {
    return [...this.#rows.keys(), ...[...this.#keys.values()].flatMap((keys) => [...keys])];
  }

  #addKey(key: string): void {
    const sender = senderIn(key);
    let keys = this.#keys.get(sender);
    if (keys === undefined) {
      keys = new Set();
      this.#keys.set(sender, keys);
    }
    if (!keys.delete(key)) this.#count += 1;
    keys.add(key);
    // One in a hundred calls shrinks, because that visits all senders.
    if (this.#count > this.#limits.keys * 1.01) this.#shrink();
  }

  #shrink(): void {
    const sizes = [...this.#keys.values()].map(({ size }) => size);
    const share = shareOf(sizes, this.#limits.keys);
    for (const keys of this.#keys.values()) {
      for (const key of keys) {
        if (keys.size <= share) break;
        keys.delete(key);
        this.#count -= 1;
      }
    }
    // More senders than keys: each has one.
    for (const [sender, { size }] of this.#keys) {
      if (this.#count <= this.#limits.keys) return;
      this.#keys.delete(sender);
      this.#count -= size;
    }
  }
}

function senderIn(key: string): string {
  return key.slice(KEY_PREFIX.length, KEY_PREFIX.length + SENDER_LENGTH);
}

/** How many each may have, so that all together have at most `limit`. */
function shareOf(sizes: readonly number[], limit: number): number {
  let rest = limit;
  let others = sizes.length;
  for (const size of sizes.toSorted((a, b) => a - b)) {
    if (size * others > rest) break;
    rest -= size;
    others -= 1;
  }
  return others === 0 ? limit : Math.max(1, Math.floor(rest / others));
}

/** Of values of one kind, and of all of them together, as JSON. */
const MAX_KEPT = 1_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

/** The values that were set last: as many as {@link MAX_KEPT} and {@link MAX_CHARACTERS} allow, and one at least. */
export class LatestValues<Value> {
  readonly #entries = new LatestMap<{ readonly value: Value; readonly size: number }>(
    Number.POSITIVE_INFINITY,
  );
  #size = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  *values(): Generator<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Returns what had to go. */
  set(key: string, value: Value, size: number): Value[] {
    this.#size -= this.#entries.get(key)?.size ?? 0;
    this.#entries.set(key, { value, size });
    this.#size += size;
    const dropped: Value[] = [];
    while (this.#entries.size > 1 && (this.#entries.size > MAX_KEPT || this.#size > MAX_CHARACTERS)) {
      const oldest = this.#entries.deleteOldest();
      if (oldest === undefined) break;
      this.#size -= oldest.size;
      dropped.push(oldest.value);
    }
    return dropped;
  }

  delete(key: string): void {
    this.#size -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}

/** The first part of the keys of a sender's messages, by which {@link FinishedKeys} divides them. */
const senders = new LatestMap<string>(1_000);

/**
 * Two rows are the same message if sender and the sender's message id are equal, whatever else they say. A row without
 * message id is a message of its own. A cancellation can have the id of the message it cancels.
 */
export function messageKey(
  message: Pick<InboundMessage, 'id' | 'messageId' | 'method' | 'source' | 'sourceId'>,
): string {
  const { messageId, method, source, sourceId } = message;
  if (messageId === '') return message.id;
  const sender = `${source} ${sourceId}`;
  let prefix = senders.get(sender);
  if (prefix === undefined) {
    prefix = KEY_PREFIX + hashOf([source, sourceId]).slice(0, SENDER_LENGTH);
    senders.set(sender, prefix);
  }
  const identity = [source, sourceId, method === 'cancel_task', messageId];
  return prefix + hashOf(identity).slice(0, 22);
}

function hashOf(parts: readonly unknown[]): string {
  return crypto.hash('sha256', JSON.stringify(parts), 'base64url');
}
