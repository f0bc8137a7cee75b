import type { PlatformContext } from '../../context.ts';

const WINDOW_MS = 60_000;
/** Pairs that are counted at a time; the one that was quiet for longest is forgotten first. */
const MAX_PAIRS = 10_000;

interface PairCount {
  readonly startedAt: number;
  /** Messages by sender. */
  readonly sent: Map<string, number>;
  isReported: boolean;
}

/**
 * Counts the messages of two workspaces to each other, within a minute that starts with the first. What limits a pair is
 * the smaller of its two counts, so that traffic in one direction is never limited. In memory: each process of the
 * platform counts alone.
 */
export class PairRate {
  readonly limit: number;
  readonly #clock: PlatformContext['clock'];
  readonly #pairs = new Map<string, PairCount>();

  constructor({ clock, settings }: Pick<PlatformContext, 'clock' | 'settings'>) {
    this.#clock = clock;
    this.limit = settings.pairRate;
  }

  /** How many pairs are counted at the moment. */
  get size(): number {
    return this.#pairs.size;
  }

  /** Milliseconds until this sender may write to this target; 0 when it may now. */
  waitMs(sender: string, target: string): number {
    const pair = this.#current(sender, target);
    if (pair === undefined) return 0;
    const there = (pair.sent.get(sender) ?? 0) + 1;
    const back = pair.sent.get(target) ?? 0;
    if (Math.min(there, back) <= this.limit) return 0;
    return pair.startedAt + WINDOW_MS - this.#clock.monotonic();
  }

  /** Counts a message; returns a function that takes it back. */
  count(sender: string, target: string): () => void {
    if (this.limit === 0 || sender === target) return () => {};
    const key = keyOf(sender, target);
    const pair = this.#current(sender, target) ?? {
      startedAt: this.#clock.monotonic(),
      sent: new Map(),
      isReported: false,
    };
    this.#pairs.delete(key);
    this.#pairs.set(key, pair);
    if (this.#pairs.size > MAX_PAIRS) {
      const [oldest = ''] = this.#pairs.keys();
      this.#pairs.delete(oldest);
    }
    pair.sent.set(sender, (pair.sent.get(sender) ?? 0) + 1);
    return () => void pair.sent.set(sender, (pair.sent.get(sender) ?? 1) - 1);
  }

  /** Whether this is the first time that it is asked for a pair in its minute. */
  isFirstReport(sender: string, target: string): boolean {
    const pair = this.#current(sender, target);
    if (pair === undefined || pair.isReported) return false;
    pair.isReported = true;
    return true;
  }

  #current(sender: string, target: string): PairCount | undefined {
    if (this.limit === 0 || sender === target) return undefined;
    const key = keyOf(sender, target);
    const pair = this.#pairs.get(key);
    if (pair === undefined || this.#clock.monotonic() - pair.startedAt < WINDOW_MS) return pair;
    this.#pairs.delete(key);
    return undefined;
  }
}

function keyOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
