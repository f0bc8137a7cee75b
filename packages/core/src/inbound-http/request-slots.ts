import type { InboundCaller } from './inbound-agent.ts';

/** Requests whose credential is being checked, and of the card, at least; they are short. */
const MIN_UNCHECKED = 64;

/** Gives a place back. Call it once. */
export type ReleaseSlot = () => void;

/**
 * The places for the requests of one agent. A quarter is kept for the platform, one peer gets at most a quarter, and requests
 * without a verified credential have places of their own, so that nobody takes those of others.
 */
export class RequestSlots {
  readonly #limit: number;
  readonly #quarter: number;
  /** How many places each kind of request has taken. */
  readonly #taken = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#quarter = Math.floor(limit / 4);
  }

  /** For the time in which a credential is checked; `null` when there is no place. */
  enterUnchecked(): ReleaseSlot | null {
    return this.#enter({ unchecked: Math.max(MIN_UNCHECKED, this.#quarter) });
  }

  /** For a request until its response; `null` when there is no place for this caller. */
  enter({ use, subject }: InboundCaller): ReleaseSlot | null {
    return this.#enter({
      all: this.#limit,
      ...(use === 'push' ? {} : { others: this.#limit - this.#quarter }),
      // Callers without a name cannot be distinguished.
      ...(use === 'direct' ? { [`peer ${subject}`]: Math.max(1, this.#quarter) } : {}),
    });
  }

  /** @param limits by the kinds of the request */
  #enter(limits: Readonly<Record<string, number>>): ReleaseSlot | null {
    const kinds = Object.keys(limits);
    if (kinds.some((kind) => this.#countOf(kind) >= (limits[kind] ?? 0))) return null;
    for (const kind of kinds) this.#taken.set(kind, this.#countOf(kind) + 1);
    return () => {
      for (const kind of kinds) {
        if (this.#countOf(kind) === 1) this.#taken.delete(kind);
        else this.#taken.set(kind, this.#countOf(kind) - 1);
      }
    };
  }

  #countOf(kind: string): number {
    return this.#taken.get(kind) ?? 0;
  }
}
