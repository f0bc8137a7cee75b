import { LatestMap } from '../../client/latest-map.ts';
import { LazyMap } from '../../collections/lazy-map.ts';
import type { Arrival, KeptEnd } from './arrival.ts';
import { taskKeys } from './arrival.ts';
import { ArrivalRoom } from './arrival-room.ts';

const MAX_ENDS = 1_000;
/** Of all kept ends together, as JSON. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

interface StoredEnd {
  readonly kept: KeptEnd;
  /** As JSON, in characters. */
  readonly size: number;
}

/**
 * What is stored about arrivals: those that are not finished, and how the latest others ended. At most 1 000 ends and
 * 8 Mi characters, the oldest are dropped first.
 */
export class ArrivalLog {
  /** What those take that are not finished. */
  readonly room = new ArrivalRoom();
  readonly #pending = new LazyMap<string, Arrival>();
  readonly #ends = new LatestMap<StoredEnd>(Number.POSITIVE_INFINITY);
  /** The keys of ends, by the ids under which their senders ask for them. */
  readonly #tasks = new LazyMap<string, string>();
  #size = 0;

  /** Not finished, in order of arrival. */
  get pending(): readonly Arrival[] {
    return [...this.#pending.values()];
  }

  get count(): number {
    return this.#pending.size;
  }

  /** Oldest first. */
  get ends(): readonly KeptEnd[] {
    return [...this.#ends.values()].map(({ kept }) => kept);
  }

  add(arrival: Arrival): void {
    this.#pending.set(arrival.message.id, arrival);
    this.room.add(arrival);
  }

  find(row: string): Arrival | undefined {
    return this.#pending.get(row);
  }

  finish(row: string): void {
    this.#pending.delete(row);
    this.room.remove(row);
  }

  endOf(key: string): KeptEnd | undefined {
    return this.#ends.get(key)?.kept;
  }

  /** The end that a sender asks for by one of the keys of `askedKeys`. */
  findEnd(askedKeys: readonly string[]): KeptEnd | undefined {
    const key = askedKeys.map((asked) => this.#tasks.get(asked)).find((found) => found !== undefined);
    return key === undefined ? undefined : this.endOf(key);
  }

  /** Keeps an end, in place of an earlier one of the same message. */
  keep(kept: KeptEnd): void {
    this.#forget(this.#ends.get(kept.key));
    const size = JSON.stringify(kept).length;
    this.#ends.set(kept.key, { kept, size });
    for (const asked of taskKeys(kept)) this.#tasks.set(asked, kept.key);
    this.#size += size;
    while (this.#ends.size > 1 && (this.#ends.size > MAX_ENDS || this.#size > MAX_CHARACTERS)) {
      this.#forget(this.#ends.deleteOldest());
    }
  }

  #forget(entry: StoredEnd | undefined): void {
    if (entry === undefined) return;
    this.#size -= entry.size;
    for (const asked of taskKeys(entry.kept)) {
      if (this.#tasks.get(asked) === entry.kept.key) this.#tasks.delete(asked);
    }
  }
}
