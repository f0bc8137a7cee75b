import { HttpError } from '../../http/http-error.ts';

/** So many streams one workspace reads at the same time; of the operators those to one workspace count together. */
const MAX_STREAMS = 100;
/** When a client that has too many may try again, in seconds. */
const RETRY_AFTER = 5;

/** A stream that is counted. */
export interface StreamPlace {
  /** Runs `task` when the workspace that reads is removed. */
  onRemoved(task: () => void): void;
  /** Idempotent. */
  release(): void;
}

/** Counts the streams that are open, for each workspace that reads. */
export class StreamPlaces {
  readonly #places = new Map<string, Set<Place>>();

  /** @throws HttpError 429 `rate_limited`. */
  take(callerId: string | null, targetId: string): StreamPlace {
    const key = callerId ?? `operators:${targetId}`;
    const places = this.#places.get(key) ?? new Set();
    if (places.size >= MAX_STREAMS) throw tooManyStreams();
    this.#places.set(key, places);
    const place = new Place(() => {
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
  readonly release: () => void;
  removed: () => void = () => {};

  constructor(release: () => void) {
    this.release = release;
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
