import type { InboundRequest, MessageEnd } from '../inbound-http/inbound-agent.ts';
import type { Clock } from '../time/clock.ts';

/**
 * Why a request no longer waits: the message has ended; its time is over, the caller has closed the connection, or has sent
 * the message again (`left`); the message was not accepted, or the agent stops (`withdrawn`).
 */
export type WaitResult =
  | { readonly kind: 'ended'; readonly end: MessageEnd }
  | { readonly kind: 'left' | 'withdrawn' };

const LEFT: WaitResult = { kind: 'left' };

/** Of a request that waits as long as its caller does. */
export const NO_HOLD_LIMIT = Number.POSITIVE_INFINITY;

type Wait = Pick<InboundRequest, 'holdMs' | 'signal'> & Partial<Pick<InboundRequest, 'caller'>>;

interface Waiting {
  /** `undefined` for a reader of a stream. */
  readonly caller: string | undefined;
  readonly resolve: (result: WaitResult) => void;
  /** Its time and its caller no longer end the wait. */
  readonly keep: () => void;
}

const NONE: readonly Waiting[] = [];

/** The requests that wait for the end of one message: of each caller the latest, and all that read streams. */
export class WaitingRequests {
  readonly #clock: Clock;
  #open = NONE;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  /**
   * Waits for the end, at most `holdMs` milliseconds or `NO_HOLD_LIMIT`, and no longer than the caller does. With a `caller`, an
   * earlier request of the same one no longer waits. Never rejects.
   */
  wait({ caller, holdMs, signal }: Wait): Promise<WaitResult> {
    if (signal.aborted || holdMs <= 0) return Promise.resolve(LEFT);
    return new Promise((resolve) => {
      const leave = (): void => this.#finish(own, LEFT);
      const timer = holdMs === NO_HOLD_LIMIT ? undefined : this.#clock.setTimer(holdMs, leave);
      signal.addEventListener('abort', leave, { once: true });
      const own: Waiting = {
        caller: caller && `${caller.use} ${caller.subject}`,
        resolve,
        keep: () => {
          timer?.cancel();
          signal.removeEventListener('abort', leave);
        },
      };
      const before = this.#open;
      this.#open = [...before, own];
      const earlier = before.find((each) => caller !== undefined && each.caller === own.caller);
      if (earlier !== undefined) this.#finish(earlier, LEFT);
    });
  }

  /** The requests that wait now get the end that is being stored, even when their time is over before. False when there is none. */
  keep(): boolean {
    for (const { keep } of this.#open) keep();
    return this.isOpen;
  }

  /** Gives the end to the requests that wait for it. */
  complete(end: MessageEnd): void {
    for (const each of this.#open) this.#finish(each, { kind: 'ended', end });
  }

  withdraw(): void {
    for (const each of this.#open) this.#finish(each, { kind: 'withdrawn' });
  }

  #finish(own: Waiting, result: WaitResult): void {
    own.keep();
    this.#open = this.#open.filter((each) => each !== own);
    own.resolve(result);
  }
}
