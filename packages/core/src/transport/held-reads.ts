import type { ClientSettings } from '../settings/client-settings.ts';
import { processState } from '../storage/process-state.ts';

/** A reader that has not asked for so long is gone, or no longer needs its turn. */
const FORGET_AFTER_MS = 60_000;

interface Turns {
  held: number;
  /** Who waits, the longest first, and when each last asked, on the monotonic clock. */
  readonly waiting: Map<object, number>;
}

/** `isShared`: whether the number counts all clients of the process. */
type HeldReadsSettings = Pick<ClientSettings, 'platformOrigin' | 'maxHeldReads' | 'clock' | 'isShared'>;

/**
 * How many reads a process lets the platform hold at the same time: each holds a connection. When there are more readers, those
 * without a turn read without waiting, and who has held a read goes to the end of the line.
 */
export class HeldReads {
  readonly #settings: HeldReadsSettings;
  /** By origin; an origin without reads and readers has no entry. */
  readonly #all: Map<string, Turns>;
  readonly #readers = { feed: {}, control: {} };

  constructor(settings: HeldReadsSettings) {
    const create = () => new Map<string, Turns>();
    this.#settings = settings;
    this.#all = settings.isShared ? processState('held-reads', create) : create();
  }

  /** Returns what ends the turn; `null` when it is not this reader's turn. Ask again with the next read. */
  take(kind: 'feed' | 'control'): (() => void) | null {
    const { platformOrigin, clock } = this.#settings;
    const turns = this.#all.get(platformOrigin) ?? { held: 0, waiting: new Map() };
    this.#all.set(platformOrigin, turns);
    const reader = this.#readers[kind];
    if (!this.#isTurnOf(reader, turns)) {
      turns.waiting.set(reader, clock.monotonic());
      return null;
    }
    turns.waiting.delete(reader);
    turns.held += 1;
    let isHeld = true;
    return () => {
      if (isHeld) turns.held -= 1;
      isHeld = false;
      this.#drop(turns);
    };
  }

  /** This client reads no more. */
  close(): void {
    const turns = this.#all.get(this.#settings.platformOrigin);
    if (turns === undefined) return;
    for (const reader of Object.values(this.#readers)) turns.waiting.delete(reader);
    this.#drop(turns);
  }

  #drop({ held, waiting }: Turns): void {
    if (held === 0 && waiting.size === 0) this.#all.delete(this.#settings.platformOrigin);
  }

  #isTurnOf(reader: object, { held, waiting }: Turns): boolean {
    const { clock, maxHeldReads } = this.#settings;
    const now = clock.monotonic();
    let free = maxHeldReads - held;
    for (const [other, askedAt] of waiting) {
      if (other === reader || free <= 0) break;
      if (now - askedAt > FORGET_AFTER_MS) waiting.delete(other);
      else free -= 1;
    }
    return free > 0;
  }
}
