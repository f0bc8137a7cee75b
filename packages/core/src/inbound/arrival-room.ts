import type { Arrival } from './ledger-lines.ts';

/** Of all messages that requests brought and that are not finished, as they are stored. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The part of the room that direct messages may take, and those of one sender; and what only people may take. */
const SHARES = { direct: 1 / 2, sender: 1 / 4, people: 1 / 10 };
/** Messages that are handled and whose answers wait, because the inbox of their sender is full. */
const MAX_WAITING = { all: 100, sender: 25 };

/** Of messages: how many, how large, and of how many the answer waits. */
class Usage {
  count = 0;
  bytes = 0;
  waiting = 0;
}

/** Of one message. */
export interface Place {
  readonly bytes: number;
  readonly sender: string;
  readonly isDirect: boolean;
  isWaiting: boolean;
}

/** The room that the agent has for all messages. */
export interface WholeRoom {
  /** Messages that may be read and not finished. */
  readonly most: number;
  /** Of these, how many may still be accepted. */
  readonly free: number;
}

/**
 * The room that unfinished arrivals take, in messages and bytes, and who may take it. A message that is pushed has no share
 * of its sender: the platform keeps the order of an agent's messages, and one that is refused delays those behind it.
 */
export class ArrivalRoom {
  readonly #all = new Usage();
  readonly #direct = new Usage();
  /** Of direct messages. */
  readonly #bySender = new Map<string, Usage>();

  /** Number of messages. */
  get count(): number {
    return this.#all.count;
  }

  /** Number of messages without those whose answers wait: they take no room. */
  get taken(): number {
    return this.#all.count - this.#all.waiting;
  }

  /** Whether one more message may be accepted. The one that reaches a limit in bytes is. */
  hasRoom({ message, via }: Arrival, { most, free }: WholeRoom): boolean {
    const kept = message.source === 'peer_agent' ? SHARES.people : 0;
    if (free <= Math.floor(most * kept) || this.#all.bytes >= MAX_BYTES * (1 - kept)) return false;
    if (via !== 'direct') return true;
    const isWithin = (used: Usage | undefined, share: number): boolean =>
      used === undefined ||
      (used.count - used.waiting < Math.max(1, Math.floor(most * share)) && used.bytes < MAX_BYTES * share);
    return (
      isWithin(this.#direct, SHARES.direct) && isWithin(this.#bySender.get(message.sourceId), SHARES.sender)
    );
  }

  add({ message, via }: Arrival, bytes: number): Place {
    const place = { bytes, sender: message.sourceId, isDirect: via === 'direct', isWaiting: false };
    for (const usage of this.#usagesWith(place)) {
      usage.count += 1;
      usage.bytes += bytes;
    }
    return place;
  }

  remove(place: Place): void {
    for (const usage of this.#usagesWith(place)) {
      usage.count -= 1;
      usage.bytes -= place.bytes;
      if (place.isWaiting) usage.waiting -= 1;
    }
    if (this.#bySender.get(place.sender)?.count === 0) this.#bySender.delete(place.sender);
  }

  /** A message is handled, and its answer waits: it takes no room. False when too many wait. */
  setWaiting(place: Place | undefined): boolean {
    if (place === undefined || place.isWaiting) return true;
    const ofSender = this.#bySender.get(place.sender)?.waiting ?? 0;
    if (this.#all.waiting >= MAX_WAITING.all || ofSender >= MAX_WAITING.sender) return false;
    place.isWaiting = true;
    for (const usage of this.#usagesWith(place)) usage.waiting += 1;
    return true;
  }

  #usagesWith({ isDirect, sender }: Place): readonly Usage[] {
    if (!isDirect) return [this.#all];
    const ofSender = this.#bySender.get(sender) ?? new Usage();
    this.#bySender.set(sender, ofSender);
    return [this.#all, this.#direct, ofSender];
  }
}
