import { HttpError } from '../../http/http-error.ts';
import type { MemoryShare } from '../../waiting/response-memory.ts';
import { readerOf } from '../stored-answers.ts';

/** So many streams one workspace reads at the same time; of the operators those to one workspace count together. */
const MAX_STREAMS = 100;
/** When a client that has too many may try again, in seconds. */
const RETRY_AFTER = 5;

/** A stream that is counted. */
export interface StreamPlace {
  /** Whose streams it is counted with. */
  readonly reader: string;
  /** Runs `task` when the workspace that reads is removed. */
  onRemoved(task: () => void): void;
  /** Keeps memory until it is released. */
  hold(share: MemoryShare): void;
  /** Idempotent. */
  release(): void;
}

/** Counts the streams that are open, for each workspace that reads. */
export class StreamPlaces {
  readonly #places = new Map<string, Set<Place>>();

  /** @throws HttpError 429 `rate_limited`. */
  take(callerId: string | null, targetId: string): StreamPlace {
    const key = readerOf(callerId, targetId);
    const places = this.#places.get(key) ?? new Set();
    if (places.size >= MAX_STREAMS) throw tooManyStreams();
    this.#places.set(key, places);
    const place = new Place(key, () => {
      places.delete(place);
      if (places.size === 0 && this.#places.get(key) === places) this.#places.delete(key);
    });
    places.add(place);
    return place;
  }

  /** Ends the streams of a workspace that reads. */
  remove(workspaceId: string): void {
    for (const place of this.#places.get(workspaceId) ?? []) place.removed();
  }
}

class Place implements StreamPlace {
  readonly reader: string;
  readonly #leave: () => void;
  readonly #shares: MemoryShare[] = [];
  #isReleased = false;
  removed: () => void = () => {};

  constructor(reader: string, leave: () => void) {
    this.reader = reader;
    this.#leave = leave;
  }

  hold(share: MemoryShare): void {
    if (this.#isReleased) share.release();
    else this.#shares.push(share);
  }

  release(): void {
    this.#isReleased = true;
    for (const share of this.#shares.splice(0)) share.release();
    this.#leave();
  }

  onRemoved(task: () => void): void {
    this.removed = task;
  }
}

function tooManyStreams(): HttpError {
  return new HttpError(429, 'rate_limited', 'too many streams are open', {
    extras: {
      retry_after: RETRY_AFTER,
      scope: 'streams',
      hint: `At most ${MAX_STREAMS} streams of one workspace are open. Send the message without a stream, or close one first.`,
    },
    headers: { 'retry-after': String(RETRY_AFTER) },
  });
}
