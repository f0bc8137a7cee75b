import { setImmediate, setTimeout } from 'node:timers/promises';

/** What a message asks the agents of the benchmarks of streams for; its text is this as JSON. */
export interface DeltaPlan {
  readonly count: number;
  /** Of each delta, in characters; at least {@link STAMP_LENGTH}. */
  readonly length: number;
  /** Pause before each delta but the first, in milliseconds. With 0 there is one delta in each turn of the event loop. */
  readonly gapMs: number;
}

const STAMP_LENGTH = 20;

/** The deltas that a message asks for. Each begins with the time of its production. */
export async function* deltasOf(text: string): AsyncGenerator<string, void, undefined> {
  const { count, length, gapMs } = JSON.parse(text) as DeltaPlan;
  const rest = '.'.repeat(length - STAMP_LENGTH);
  for (let index = 0; index < count; index += 1) {
    if (index > 0) await (gapMs === 0 ? setImmediate() : setTimeout(gapMs));
    yield `#${String(process.hrtime.bigint()).padStart(STAMP_LENGTH - 1, '0')}${rest}`;
  }
}

/** Finds the ages of deltas at the time when they are read. */
export class DeltaReader {
  readonly #length: number;
  #text = '';

  constructor(length: number) {
    this.#length = length;
  }

  /** The ages of the deltas whose last character is in this piece, in milliseconds. */
  read(piece: string): number[] {
    const now = process.hrtime.bigint();
    this.#text += piece;
    const ages: number[] = [];
    while (this.#text.length >= this.#length) {
      const stamp = this.#text.slice(0, STAMP_LENGTH);
      if (!/^#\d+$/.test(stamp)) throw new Error('not the text that was produced');
      ages.push(Number(now - BigInt(stamp.slice(1))) / 1e6);
      this.#text = this.#text.slice(this.#length);
    }
    return ages;
  }
}
