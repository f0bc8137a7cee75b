import type { Dispatcher } from 'undici';
import type { Clock } from '../../time/clock.ts';
import { type AnswerShare, SMALL_ANSWER_BYTES } from '../answer-memory.ts';

/** Time for a body that is not small, from then on: so much, and a second more for so many bytes of it. */
const TIME_LIMIT_MS = 60_000;
const BYTES_PER_SECOND = 256 * 1024;
/** So many chunks are joined, because each uses more memory than its bytes. */
const MAX_CHUNKS = 128;

/** How the body of a response is read. */
export interface BodyReading {
  readonly clock: Clock;
  /** Memory for the body. While there is none the body is not read, and its sender waits. */
  readonly share: AnswerShare;
  /** Ends the reading. */
  readonly signal: AbortSignal;
  /** Called when the body comes too slowly for the memory that it uses. Aborts the signal. */
  readonly onTooSlow: () => void;
}

/**
 * Reads a body of at most `maxBytes`; undefined for a longer one, which is destroyed.
 *
 * @throws The reason of the signal, or the error of the connection.
 */
export async function readBody(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
  { clock, share, signal, onTooSlow }: BodyReading,
): Promise<Buffer | undefined> {
  const pace = new Pace(clock, onTooSlow);
  const joined: Buffer[] = [];
  let recent: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return undefined;
      if (!share.tryGrow(chunk.length)) {
        pace.pause();
        await share.grow(chunk.length, signal);
      }
      pace.read(size);
      recent.push(chunk);
      if (recent.length < MAX_CHUNKS) continue;
      joined.push(Buffer.concat(recent));
      recent = [];
    }
    return Buffer.concat([...joined, ...recent]);
  } finally {
    pace.pause();
  }
}

/** Limits how long a body that uses memory takes, without the time in which it is not read. */
class Pace {
  readonly #clock: Clock;
  readonly #onTooSlow: () => void;
  #allowedMs = 0;
  /** Before the current run of the timer. */
  #usedMs = 0;
  #runningSince: number | undefined;
  #cancel = () => {};

  constructor(clock: Clock, onTooSlow: () => void) {
    this.#clock = clock;
    this.#onTooSlow = onTooSlow;
  }

  /** So many bytes were read. */
  read(bytes: number): void {
    if (bytes <= SMALL_ANSWER_BYTES) return;
    this.#allowedMs = TIME_LIMIT_MS + (bytes / BYTES_PER_SECOND) * 1_000;
    if (this.#runningSince !== undefined) return;
    this.#runningSince = this.#clock.monotonic();
    this.#schedule();
  }

  /** Until the next `read`. */
  pause(): void {
    this.#cancel();
    if (this.#runningSince !== undefined) this.#usedMs += this.#clock.monotonic() - this.#runningSince;
    this.#runningSince = undefined;
  }

  /** One timer: when it ends, more may have been read. */
  #schedule(): void {
    const now = this.#clock.monotonic();
    const leftMs = this.#allowedMs - this.#usedMs - (now - (this.#runningSince ?? now));
    if (leftMs <= 0) this.#onTooSlow();
    else this.#cancel = this.#clock.schedule(Math.ceil(leftMs), () => this.#schedule());
  }
}
