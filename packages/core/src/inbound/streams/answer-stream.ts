import type { Clock } from '../../time/clock.ts';
import { AnswerReader } from './answer-reader.ts';
import { AttemptText, type AttemptTextOptions } from './attempt-text.ts';
import { Changes } from './changes.ts';
import type { ReaderWait } from './reader-waits.ts';

/** How far the handler may be ahead of its fastest reader, in UTF-16 units. */
const MAX_LEAD = 64 * 1024;
/** How long a failure waits for readers of the text before it, in milliseconds. */
const MAX_DRAIN_MS = 2_000;

/**
 * The text of the answer to one message while its handler makes it, for any number of readers. Each attempt begins it anew; once
 * some of it has left, no later attempt shows its own.
 */
export class AnswerStream {
  readonly #readers = new Set<AnswerReader>();
  readonly #grown = new Changes();
  readonly #taken = new Changes();
  readonly #wait: ReaderWait | null;
  readonly #onBehind: () => void;
  #text: AttemptText | null = null;
  /** Length of the text when {@link #onBehind} was called last. */
  #reportedLength = 0;

  /**
   * @param options `wait`: without it the handler waits for no reader. `onBehind`: called for each 64 Ki characters by which the text
   * grows while nobody waits for readers that are far behind.
   */
  constructor({
    wait = null,
    onBehind = () => {},
  }: { readonly wait?: ReaderWait | null; readonly onBehind?: () => void } = {}) {
    this.#wait = wait;
    this.#onBehind = onBehind;
  }

  /** Begins the text of an attempt. */
  begin(options: Pick<AttemptTextOptions, 'isShown' | 'isRequest' | 'onFirst'>): AttemptText {
    this.#text?.discard();
    const text = new AttemptText({
      ...options,
      onChange: () => this.#grown.happened(),
      whenTaken: () => this.#whenTaken(text),
    });
    this.#text = text;
    this.#reportedLength = 0;
    return text;
  }

  /**
   * A reader, which begins with the first character. Call `leave` in the end.
   * @param options `outlivesInterruption`: it waits for the next attempt; `confirms`: what it took counts as sent once it calls
   * `confirm`, not before. @default false
   */
  read({ outlivesInterruption = false, confirms = false } = {}): AnswerReader {
    const reader = new AnswerReader({
      outlivesInterruption,
      confirms,
      current: () => this.#text,
      changed: () => this.#grown.next(),
      wake: () => this.#grown.happened(),
      onTaken: () => {
        this.#taken.happened();
        this.#wait?.happened();
      },
      onLeave: () => this.#readers.delete(reader),
    });
    this.#readers.add(reader);
    return reader;
  }

  /** Ends the text of an attempt that failed. Resolves when its readers got what there is, after two seconds, or at an abort. */
  async drain(text: AttemptText, clock: Clock, signal: AbortSignal): Promise<void> {
    text.close();
    const over = Promise.withResolvers<'over'>();
    const stop = (): void => over.resolve('over');
    const timer = clock.setTimer(MAX_DRAIN_MS, stop);
    signal.addEventListener('abort', stop, { once: true });
    while (text.isShown && [...this.#readers].some((reader) => reader.isBehind(text))) {
      if ((await Promise.race([this.#taken.next(), over.promise])) === 'over') break;
    }
    timer.cancel();
    signal.removeEventListener('abort', stop);
  }

  /** The message is handled again later: its readers leave, so that their callers ask again. */
  interrupt(): void {
    for (const reader of [...this.#readers]) reader.interrupted();
  }

  #whenTaken(text: AttemptText): Promise<void> | null {
    if (this.#leadOver(text) <= MAX_LEAD) return null;
    const taken = this.#wait?.next() ?? null;
    if (taken === null && text.length - this.#reportedLength > MAX_LEAD) {
      this.#reportedLength = text.length;
      this.#onBehind();
    }
    return taken;
  }

  #leadOver(text: AttemptText): number {
    const leads = [...this.#readers]
      .filter((reader) => reader.holdsBack)
      .map((reader) => text.length - reader.placeIn(text));
    return leads.length === 0 ? 0 : Math.min(...leads);
  }
}
