import type { FastifyReply } from 'fastify';
import { HttpError } from '../http/http-error.ts';
import { JsonText } from '../http/mount.ts';
import type { Clock } from '../time/clock.ts';
import type { ClientConnection } from './client-connection.ts';

const MAX_BYTES = 64 * 1024 * 1024;
/** What the responses to one reader may use together, so that a slow one does not keep others from reading. */
const MAX_BYTES_PER_READER = 24 * 1024 * 1024;
/** What is not longer never waits, and is not counted. */
const SMALL_BYTES = 64 * 1024;
const MAX_WAIT_MS = 10_000;
const MAX_WAITING = 10_000;
/** A client that takes nothing of a response for so long is disconnected, in milliseconds. */
const STALLED_AFTER_MS = 30_000;
/** Time for the whole of one that is not small: so much, and a second more for so many bytes of it. */
const TIME_LIMIT_MS = 60_000;
const BYTES_PER_SECOND = 64 * 1024;

/** Memory that one response uses. */
export interface MemoryShare {
  /** Gives back what is above `bytes`. */
  shrink(bytes: number): void;
  /** Gives back everything. Idempotent. */
  release(): void;
}

/** JSON text of a response, and the memory that it uses until it was sent. */
export interface HeldText {
  readonly text: string;
  release(): void;
}

interface WaitingResponse {
  readonly reader: string;
  readonly bytes: number;
  readonly grant: (share: MemoryShare) => void;
}

/**
 * The memory of large responses that are being built or sent. One that would exceed it waits for its turn, in the order of
 * arrival; a reader with many of them waits for itself only.
 */
export class ResponseMemory {
  readonly #clock: Clock;
  readonly #byReader = new Map<string, number>();
  readonly #waiting = new Set<WaitingResponse>();
  #used = 0;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** `reader` names whose responses are counted together. @throws HttpError 503 `platform_unavailable` when there is none for 10 s. */
  async reserve(reader: string, wanted: number): Promise<MemoryShare> {
    if (isSmall(wanted)) return NO_SHARE;
    const bytes = Math.min(wanted, MAX_BYTES);
    if (this.#waiting.size === 0 && this.#fits(reader, bytes)) return this.#take(reader, bytes);
    if (this.#waiting.size >= MAX_WAITING) throw tooManyReads();
    return new Promise((resolve, reject) => {
      const response: WaitingResponse = {
        reader,
        bytes,
        grant: (share) => {
          cancelTimer();
          resolve(share);
        },
      };
      const cancelTimer = this.#clock.schedule(MAX_WAIT_MS, () => {
        this.#waiting.delete(response);
        reject(tooManyReads());
        // It may have been what others waited behind.
        this.#grantNext();
      });
      this.#waiting.add(response);
      this.#grantNext();
    });
  }

  #fits(reader: string, bytes: number): boolean {
    const own = this.#byReader.get(reader) ?? 0;
    return this.#used + bytes <= MAX_BYTES && (own === 0 || own + bytes <= MAX_BYTES_PER_READER);
  }

  #grantNext(): void {
    for (const response of this.#waiting) {
      if (this.#used + response.bytes > MAX_BYTES) return;
      if (!this.#fits(response.reader, response.bytes)) continue;
      this.#waiting.delete(response);
      response.grant(this.#take(response.reader, response.bytes));
    }
  }

  #take(reader: string, bytes: number): MemoryShare {
    let held = bytes;
    this.#add(reader, bytes);
    const shrink = (to: number) => {
      if (to >= held) return;
      this.#add(reader, to - held);
      held = to;
      this.#grantNext();
    };
    return { shrink, release: () => shrink(0) };
  }

  #add(reader: string, bytes: number): void {
    this.#used += bytes;
    const own = (this.#byReader.get(reader) ?? 0) + bytes;
    if (own === 0) this.#byReader.delete(reader);
    else this.#byReader.set(reader, own);
  }
}

/** The body of a response. Its memory is in use until the client has it; a client that takes it too slowly is disconnected. */
export function sendHeld(
  clock: Clock,
  { raw }: FastifyReply,
  connection: ClientConnection,
  { text, release }: HeldText,
): JsonText {
  raw.setTimeout(STALLED_AFTER_MS);
  const limitMs = TIME_LIMIT_MS + (text.length / BYTES_PER_SECOND) * 1_000;
  const cancelTimer = isSmall(text.length) ? () => {} : clock.schedule(limitMs, () => void raw.destroy());
  connection.onResponseSent(() => {
    cancelTimer();
    release();
  });
  return new JsonText(text);
}

/** Whether a response of so many bytes is built and sent in any case. */
export function isSmall(bytes: number): boolean {
  return bytes <= SMALL_BYTES;
}

export const NO_SHARE: MemoryShare = { shrink: () => {}, release: () => {} };

function tooManyReads(): HttpError {
  return new HttpError(503, 'platform_unavailable', 'too many large responses are being read', {
    retry_after: 2,
    hint: 'Read again shortly; a feed also with a smaller limit.',
  });
}
