import type { Arrival, KeptEnd } from './arrival.ts';
import { taskKeys } from './arrival.ts';

const MAX_ENDS = 1_000;
/** Of all kept ends together, as JSON. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * What is stored about arrivals: those that are not finished, and how the latest others ended. At most 1 000 ends and
 * 8 Mi characters, the oldest are dropped first.
 */
export class ArrivalLog {
  readonly #pending = new Map<string, Arrival>();
  readonly #ends = new Map<string, { readonly kept: KeptEnd; readonly size: number }>();
  /** The keys of ends, by the ids under which their senders ask for them. */
  readonly #tasks = new Map<string, string>();
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
  }

  find(row: string): Arrival | undefined {
    return this.#pending.get(row);
  }

  finish(row: string): void {
    this.#pending.delete(row);
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
    this.#drop(kept.key);
    const size = JSON.stringify(kept).length;
    this.#ends.set(kept.key, { kept, size });
    for (const asked of taskKeys(kept)) this.#tasks.set(asked, kept.key);
    this.#size += size;
    for (const key of this.#ends.keys()) {
      const isWithinBounds = this.#ends.size <= MAX_ENDS && this.#size <= MAX_CHARACTERS;
      if (isWithinBounds || this.#ends.size === 1) return;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    const entry = this.#ends.get(key);
    if (entry === undefined) return;
    this.#size -= entry.size;
    this.#ends.delete(key);
    for (const asked of taskKeys(entry.kept)) {
      if (this.#tasks.get(asked) === key) this.#tasks.delete(asked);
    }
  }
}
