import type { InboundCaller } from './inbound-agent.ts';

/** Requests whose credential is being checked, and of the card, at least; they are short. */
const MIN_UNCHECKED = 64;

/**
 * The places for the requests of one agent. A quarter is kept for the platform, one peer gets at most a quarter, and requests
 * without a verified credential have places of their own, so that nobody takes those of others. What enters leaves once.
 */
export class RequestSlots {
  readonly #limit: number;
  readonly #quarter: number;
  #unchecked = 0;
  #all = 0;
  /** Not of the platform. */
  #others = 0;
  readonly #ofPeers = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#quarter = Math.floor(limit / 4);
  }

  /** For the time in which a credential is checked; false when there is no place. */
  enterUnchecked(): boolean {
    if (this.#unchecked >= Math.max(MIN_UNCHECKED, this.#quarter)) return false;
    this.#unchecked += 1;
    return true;
  }

  leaveUnchecked(): void {
    this.#unchecked -= 1;
  }

  /** For a request until its response; false when there is no place for this caller. */
  enter({ use, subject }: InboundCaller): boolean {
    if (this.#all >= this.#limit) return false;
    if (use !== 'push' && this.#others >= this.#limit - this.#quarter) return false;
    const ofPeer = this.#ofPeers.get(subject) ?? 0;
    // Callers without a name cannot be distinguished.
    if (use === 'direct' && ofPeer >= Math.max(1, this.#quarter)) return false;
    this.#all += 1;
    if (use !== 'push') this.#others += 1;
    if (use === 'direct') this.#ofPeers.set(subject, ofPeer + 1);
    return true;
  }

  leave({ use, subject }: InboundCaller): void {
    this.#all -= 1;
    if (use !== 'push') this.#others -= 1;
    if (use !== 'direct') return;
    const left = (this.#ofPeers.get(subject) ?? 1) - 1;
    if (left === 0) this.#ofPeers.delete(subject);
    else this.#ofPeers.set(subject, left);
  }
}
