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
  readonly #limitOfOthers: number;
  readonly #share: number;
  readonly #uncheckedLimit: number;
  #open = 0;
  #ofOthers = 0;
  #unchecked = 0;
  readonly #byPeer = new Map<string, number>();

  constructor(limit: number) {
    const quarter = Math.floor(limit / 4);
    this.#limit = limit;
    this.#limitOfOthers = limit - quarter;
    this.#share = Math.max(1, quarter);
    this.#uncheckedLimit = Math.max(MIN_UNCHECKED, quarter);
  }

  /** For the time in which a credential is checked; `null` when there is no place. */
  enterUnchecked(): ReleaseSlot | null {
    if (this.#unchecked >= this.#uncheckedLimit) return null;
    this.#unchecked += 1;
    return () => {
      this.#unchecked -= 1;
    };
  }

  /** For a request until its response; `null` when there is no place for this caller. */
  enter({ use, subject }: InboundCaller): ReleaseSlot | null {
    if (this.#open >= this.#limit) return null;
    const isPush = use === 'push';
    if (!isPush && this.#ofOthers >= this.#limitOfOthers) return null;
    // Callers without a name cannot be distinguished.
    const peer = use === 'direct' ? subject : null;
    const count = peer === null ? 0 : (this.#byPeer.get(peer) ?? 0);
    if (count >= this.#share) return null;
    if (peer !== null) this.#byPeer.set(peer, count + 1);
    this.#open += 1;
    if (!isPush) this.#ofOthers += 1;
    return () => {
      this.#open -= 1;
      if (!isPush) this.#ofOthers -= 1;
      if (peer !== null) this.#leave(peer);
    };
  }

  #leave(peer: string): void {
    const left = (this.#byPeer.get(peer) ?? 1) - 1;
    if (left === 0) this.#byPeer.delete(peer);
    else this.#byPeer.set(peer, left);
  }
}
