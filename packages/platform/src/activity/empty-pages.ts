import type { Clock } from '../time/clock.ts';

/** The database is read again after so long, although nothing is known to have changed. */
const VALID_MS = 5 * 60_000;
const MAX_WORKSPACES = 10_000;

interface EmptyPage {
  readonly query: string;
  readonly sinceSeq: number | undefined;
  /** On the wall clock, because what has been read for long depends on it: after a change of the clock it is read again. */
  readonly readAt: number;
}

/**
 * The last read of each feed that found nothing. An agent that waits for messages repeats it, and as long as nothing is published for the
 * workspace, it finds nothing again.
 */
export class EmptyPages {
  readonly #clock: Clock;
  readonly #byWorkspace = new Map<string, EmptyPage>();
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many changes there were. Take it before reading, because what is published meanwhile may not be in the page. */
  get changes(): number {
    return this.#changes;
  }

  /** There may be a row for this workspace, or it has another status. */
  changed(workspaceId: string): void {
    this.#changes += 1;
    this.#byWorkspace.delete(workspaceId);
  }

  /** The place from which this query found nothing; undefined when it has to be read. */
  find(workspaceId: string, query: string): Pick<EmptyPage, 'sinceSeq'> | undefined {
    const page = this.#byWorkspace.get(workspaceId);
    if (page?.query !== query) return undefined;
    const age = this.#clock.now() - page.readAt;
    return age >= 0 && age < VALID_MS ? page : undefined;
  }

  /** Notes that a query found nothing. @param changes how many there were before it */
  remember(
    workspaceId: string,
    { query, sinceSeq }: Pick<EmptyPage, 'query' | 'sinceSeq'>,
    changes: number,
  ): void {
    if (changes !== this.#changes) return;
    this.#byWorkspace.delete(workspaceId);
    this.#byWorkspace.set(workspaceId, { query, sinceSeq, readAt: this.#clock.now() });
    const [oldest] = this.#byWorkspace.keys();
    if (this.#byWorkspace.size > MAX_WORKSPACES && oldest !== undefined) this.#byWorkspace.delete(oldest);
  }
}
