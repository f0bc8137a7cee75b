import type { Clock, Timer } from '../time/clock.ts';
import type { ResponseStream } from '../transport/response-stream.ts';

/** Without new text for so long, the reply is `queued`, unless the caller gave a time limit. */
const SILENCE_MS = 300_000;
/** What each connection has: the one before it may have been dead for long, and a new one begins with the text so far. */
const CONNECTION_MS = 30_000;

/** How long the text of an answer has not grown while its reader waited. Comments and empty events do not end a silence. */
export class Silence {
  readonly #clock: Clock;
  /** The time limit of the caller, which is the only one then. */
  readonly #limitAt: number | null;
  #endsAt = 0;
  #isAwaited = false;
  #hasClosed = false;
  #stream: ResponseStream | undefined;
  /** One for the whole stream, instead of one for each of its chunks. */
  #timer: Timer | undefined;

  /** @param limitAt Monotonic time; infinite for no limit of the caller. */
  constructor(clock: Clock, limitAt: number) {
    this.#clock = clock;
    this.#limitAt = limitAt === Number.POSITIVE_INFINITY ? null : limitAt;
    this.begin();
  }

  get isOver(): boolean {
    return this.#leftMs() <= 0;
  }

  /** Whether it has closed the stream. */
  get hasClosed(): boolean {
    return this.#hasClosed;
  }

  /** Begins anew: there was text, or the reader has come back. */
  begin(): void {
    this.#endsAt = this.#clock.monotonic() + SILENCE_MS;
  }

  /** From now on {@link during} closes the stream when the silence is over. Call {@link unwatch} in the end. */
  watch(stream: ResponseStream): void {
    this.#hasClosed = false;
    this.#stream = this.#limitAt === null ? stream : undefined;
    this.#closeAfter(Math.max(CONNECTION_MS, this.#leftMs()));
  }

  unwatch(): void {
    this.#stream = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Waits for something of the stream. Only while it waits the stream can be closed. */
  async during<T>(reading: Promise<T>): Promise<T> {
    this.#isAwaited = true;
    if (this.#timer === undefined) this.#closeAfter(this.#leftMs());
    try {
      return await reading;
    } finally {
      this.#isAwaited = false;
    }
  }

  #leftMs(): number {
    return (this.#limitAt ?? this.#endsAt) - this.#clock.monotonic();
  }

  #closeAfter(ms: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#timer = undefined;
      if (!this.#isAwaited) return;
      const leftMs = this.#leftMs();
      if (leftMs > 0) return this.#closeAfter(leftMs);
      this.#hasClosed = true;
      stream.close();
    });
  }
}
