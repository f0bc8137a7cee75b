import { randomUUID } from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import type { Timer } from '../time/clock.ts';
import type { InboundOptions } from './inbound-options.ts';

const STALE_AFTER_SILENCES = 3;

/** Reports when the feed has not been read for three times the expected interval. */
export class StaleWatch {
  isStale = false;
  readonly #options: Pick<InboundOptions, 'clock' | 'observer'>;
  readonly #isExpected: () => boolean;
  /** Time without `touch()`, in milliseconds; `Infinity` for never. */
  readonly #limitMs: number;
  #lastAt = 0;
  #timer: Timer | undefined;

  /** @param isExpected while false, the time does not count */
  constructor(options: Pick<InboundOptions, 'clock' | 'observer' | 'delivery'>, isExpected: () => boolean) {
    this.#options = options;
    this.#isExpected = isExpected;
    this.#limitMs = STALE_AFTER_SILENCES * options.delivery.expectedSilenceMs;
  }

  /** Starts the time. */
  start(): void {
    this.#lastAt = this.#options.clock.monotonic();
    this.#arm(this.#limitMs);
  }

  /** Call each time it happens. @param at the monotonic time, in milliseconds */
  touch(at: number): void {
    this.#lastAt = at;
    if (!this.isStale) return;
    this.isStale = false;
    this.#options.observer.recovered('inbound-stale');
    if (this.#timer !== undefined) this.#arm(this.#limitMs);
  }

  /** Stops the time. A stale state remains until the next `touch()`. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#check());
  }

  #check(): void {
    if (!this.#isExpected()) this.#lastAt = this.#options.clock.monotonic();
    const leftMs = this.#lastAt + this.#limitMs - this.#options.clock.monotonic();
    this.#arm(leftMs > 0 ? leftMs : this.#limitMs);
    if (leftMs > 0 || this.isStale) return;
    this.isStale = true;
    this.#options.observer.problem('inbound-stale');
  }
}

/** Begins the id of each probe, so that one that was sent before a restart is recognised. */
const PROBE_ID = 'inbound-probe-';
const RECEIVE_MS = 60_000;
const SEND_AGAIN_MS = 60_000;
const PROBES_UNTIL_DEAD = 2;

type InboundProbeOptions = Pick<
  InboundOptions,
  'client' | 'clock' | 'logger' | 'random' | 'observer' | 'delivery' | 'probeAfterMs'
>;

/**
 * After a long time without a message, sends one to the agent itself, which has to come by the feed: reads that succeed and bring
 * nothing, of the wrong workspace or from a stale copy, look the same as no messages. Two in a row that do not come are reported.
 */
export class InboundProbe {
  readonly #options: InboundProbeOptions;
  readonly #isExpected: () => boolean;
  /** `null` for never. */
  readonly #afterMs: number | null;
  #timer: Timer | undefined;
  #isOpen = false;
  /** Ends what is being sent; made for the first probe. */
  #life: AbortController | undefined;
  /** Ids of probes that have not come. */
  #sent: string[] = [];
  #isDead = false;
  #lastMessageAt = 0;

  /** @param isExpected whether a message could be read now */
  constructor(options: InboundProbeOptions, isExpected: () => boolean) {
    this.#options = options;
    this.#isExpected = isExpected;
    this.#afterMs = options.client.sendInboundProbe === undefined ? null : options.probeAfterMs;
  }

  /** Starts the time. */
  open(): void {
    if (this.#isOpen || this.#afterMs === null) return;
    this.#isOpen = true;
    this.#lastMessageAt = this.#options.clock.monotonic();
    this.#waitForSilence();
  }

  /** Forgets what was sent. */
  close(): void {
    this.#isOpen = false;
    this.#life?.abort();
    this.#life = undefined;
    this.#timer?.cancel();
    this.#sent = [];
  }

  /** Call with each message of the feed. Returns whether it is a probe, which no handler gets. */
  received(message: InboundMessage): boolean {
    const isProbe =
      message.messageId.startsWith(PROBE_ID) &&
      message.sourceId.toLowerCase() === this.#options.client.workspaceId.toLowerCase();
    if (!isProbe || this.#sent.includes(message.messageId)) this.#arrived();
    return isProbe;
  }

  #arrived(): void {
    this.#lastMessageAt = this.#options.clock.monotonic();
    const wasAsked = this.#sent.length > 0;
    this.#sent = [];
    if (this.#isDead) this.#options.observer.recovered('inbound-dead');
    this.#isDead = false;
    if (wasAsked && this.#isOpen) this.#waitForSilence();
  }

  #waitForSilence(): void {
    const { clock, random } = this.#options;
    const afterMs = this.#afterMs;
    if (afterMs === null) return;
    const leftMs = this.#lastMessageAt + afterMs * (1 + 0.1 * random()) - clock.monotonic();
    this.#setTimer(Math.max(leftMs, 0), () => {
      if (clock.monotonic() - this.#lastMessageAt < afterMs) this.#waitForSilence();
      else this.#probe();
    });
  }

  #probe(): void {
    const { client, delivery, logger } = this.#options;
    if (!this.#isOpen || client.sendInboundProbe === undefined) return;
    if (!this.#isExpected()) {
      this.#setTimer(SEND_AGAIN_MS, () => this.#probe());
      return;
    }
    this.#life ??= new AbortController();
    const life = this.#life;
    const messageId = `${PROBE_ID}${randomUUID()}`;
    this.#sent.push(messageId);
    client.sendInboundProbe(messageId, { signal: life.signal }).then(
      () => {
        if (!life.signal.aborted && this.#sent.includes(messageId))
          this.#setTimer(Math.max(RECEIVE_MS, delivery.expectedSilenceMs), () => this.#missed());
      },
      (error: unknown) => {
        if (life.signal.aborted) return;
        // Whether the platform can be reached is not the question here.
        this.#sent = this.#sent.filter((id) => id !== messageId);
        logger.debug({ error }, 'A message to the agent itself could not be sent.');
        this.#setTimer(SEND_AGAIN_MS, () => this.#probe());
      },
    );
  }

  #missed(): void {
    const { clock, observer } = this.#options;
    // What could not be read is not missing.
    if (!this.#isExpected()) this.#sent = [];
    if (this.#sent.length < PROBES_UNTIL_DEAD) {
      this.#probe();
      return;
    }
    if (!this.#isDead) observer.problem('inbound-dead');
    this.#isDead = true;
    this.#sent = this.#sent.slice(-PROBES_UNTIL_DEAD);
    this.#lastMessageAt = clock.monotonic();
    this.#setTimer(this.#afterMs ?? 0, () => this.#probe());
  }

  #setTimer(ms: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(ms, run);
  }
}
