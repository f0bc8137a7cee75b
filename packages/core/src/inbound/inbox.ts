import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { CursorRecord } from './cursor-store.ts';
import type { DeliveryInbox } from './inbound-delivery.ts';
import type { InboundStorage } from './inbound-storage.ts';
import { Ledger } from './ledger.ts';
import { RecentMessages, senderKey } from './recent-messages.ts';

/** Ids kept for rows that may never come again. */
const MAX_KEPT = 2_000;

/** What an {@link Inbox} needs. */
export interface InboxOptions {
  readonly storage: InboundStorage;
  /** Most messages read ahead and not finished. */
  readonly readAhead: number;
  /** Most rows read and not acknowledged, finished ones included. */
  readonly maxOpenRows: number;
  /** A message that is neither finished nor under way. */
  readonly onMessage: (message: InboundMessage) => void;
  /** The feed was read. */
  readonly onRead: () => void;
  readonly onCursorLost: (error: unknown) => void;
  /** The acknowledged position may have moved. */
  readonly onProgress: () => void;
}

/** Takes pages in and knows what is read, what is finished and what may be acknowledged. */
export class Inbox implements DeliveryInbox {
  readonly #options: InboxOptions;
  #ledger = new Ledger();
  #recent = new RecentMessages();
  #aheadBefore = new Set<string>();
  #attempts = new Map<string, number>();
  /** Sender keys of messages under way, and the later rows that are the same message. */
  readonly #underWay = new Map<string, { readonly id: string; readonly twins: string[] }>();
  readonly #keyOf = new Map<string, string>();
  #position: string | null = null;
  /** Rows may be older than those in the books, until the end of the feed is reached. */
  #isRereading = true;
  #roomMade = Promise.withResolvers<void>();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Reads what an earlier run left. Call once, before anything else. */
  async load(): Promise<void> {
    const record = await this.#options.storage.loadCursor();
    if (record === undefined) return;
    this.#ledger = new Ledger(record.acknowledged);
    this.#position = record.acknowledged;
    this.#recent = new RecentMessages(record.recent);
    this.#aheadBefore = new Set(record.finishedAhead);
    this.#attempts = new Map(Object.entries(record.attempts));
    // A crash between finishing a message and deleting its journal leaves its text behind.
    for (const id of record.recent) await this.#options.storage.removeEntry(id, true);
  }

  get position(): string | null {
    return this.#position;
  }

  get acknowledged(): string | null {
    return this.#ledger.acknowledged;
  }

  get unfinished(): number {
    return this.#ledger.unfinished;
  }

  /** Whether more messages may come in now. */
  get hasRoom(): boolean {
    return this.#free() > 0;
  }

  async room(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const free = this.#free();
      if (free > 0) return free;
      await orAborted(this.#roomMade.promise, signal);
    }
  }

  accept(page: InboundPage): number {
    const before = this.#position;
    const fresh = page.messages.filter((message) => this.#enter(message));
    this.#enterLastRow(page);
    this.#position = page.lastRowId ?? this.#position;
    this.#options.onRead();
    if (this.#position !== before) void this.save();
    for (const message of fresh) this.#options.onMessage(message);
    this.#options.onProgress();
    return fresh.length;
  }

  async cursorLost(error: unknown): Promise<void> {
    this.#position = null;
    this.#isRereading = true;
    this.#ledger.forgetPosition();
    await this.save();
    this.#options.onCursorLost(error);
  }

  /** Whether a row is read and not covered by the acknowledged position. */
  isOpen(id: string): boolean {
    return this.#ledger.has(id);
  }

  /** Handler attempts made so far, earlier runs included. */
  attemptsOf(id: string): number {
    return this.#attempts.get(id) ?? 0;
  }

  /** Counts an attempt before it is made; resolves with whether the count is on disk. */
  recordAttempts(id: string, attempts: number): Promise<boolean> {
    if (attempts > 0) this.#attempts.set(id, attempts);
    else this.#attempts.delete(id);
    return this.save();
  }

  /** The message, and later copies of it, need nothing more. Its journal goes once that is on disk. */
  async finish(message: InboundMessage): Promise<boolean> {
    const key = this.#keyOf.get(message.id);
    const twins = key === undefined ? [] : (this.#underWay.get(key)?.twins ?? []);
    this.#recent.remember(message.id, ...twins, senderKey(message));
    for (const id of [message.id, ...twins]) this.#ledger.finish(id);
    if (key !== undefined) this.#underWay.delete(key);
    this.#keyOf.delete(message.id);
    this.#attempts.delete(message.id);
    this.#makeRoom();
    this.#options.onProgress();
    return this.save();
  }

  /** Writes the books; resolves with whether they are on disk. */
  save(): Promise<boolean> {
    return this.#options.storage.saveCursor(() => this.#record());
  }

  /** True when the message has to be handled. */
  #enter(message: InboundMessage): boolean {
    const { id, seq } = message;
    if (this.#ledger.has(id)) return false;
    const key = senderKey(message);
    if (this.#aheadBefore.delete(id)) {
      this.#ledger.add(id, seq, true);
      return false;
    }
    if (this.#recent.has(id)) return false;
    if (this.#recent.has(key)) {
      this.#recent.remember(id);
      this.#ledger.add(id, seq, true);
      return false;
    }
    this.#ledger.add(id, seq, false);
    if (key === null) return true;
    const first = this.#underWay.get(key);
    first?.twins.push(id);
    if (first !== undefined) return false;
    this.#underWay.set(key, { id, twins: [] });
    this.#keyOf.set(id, key);
    return true;
  }

  /** Rows that are no message move the position as well, or a page full of them would stall it. */
  #enterLastRow({ lastRowId: id, hasMore }: InboundPage): void {
    const isOld = this.#isRereading && hasMore;
    if (!hasMore) this.#isRereading = false;
    if (id === null || id === this.#ledger.acknowledged || this.#ledger.has(id)) return;
    if (isOld && this.#ledger.size > 0) return;
    this.#ledger.add(id, null, true);
  }

  #free(): number {
    const { readAhead, maxOpenRows } = this.#options;
    return Math.min(readAhead - this.#ledger.unfinished, maxOpenRows - this.#ledger.size);
  }

  #makeRoom(): void {
    if (this.#free() <= 0) return;
    this.#roomMade.resolve();
    this.#roomMade = Promise.withResolvers<void>();
  }

  #record(): CursorRecord {
    return {
      acknowledged: this.#ledger.acknowledged,
      read: this.#position,
      finishedAhead: [...this.#aheadBefore, ...this.#ledger.finishedAhead()].slice(-MAX_KEPT),
      recent: this.#recent.list(),
      attempts: Object.fromEntries([...this.#attempts].slice(-MAX_KEPT)),
    };
  }
}
