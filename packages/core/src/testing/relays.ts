import type { DispatchController, DispatchHandler } from '../settings/connection-settings.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { ResponseHeaders, ShownExchange } from './shown-exchange.ts';

/** Larger responses keep their `server_time`. */
const MAX_SKEWED_BYTES = 64 * 1024;
/** Of a response whose length is not known, it is cut within so many bytes. */
const UNKNOWN_LENGTH = 256;
const NOBODY_READS = new Error('Nobody reads this response.');

/** Shows a response of the platform as it is. */
export class Relay implements DispatchHandler {
  protected readonly shown: ShownExchange;

  constructor(shown: ShownExchange) {
    this.shown = shown;
  }

  onRequestStart(controller: DispatchController, _context: unknown): void {
    this.shown.follow(controller);
  }

  onResponseStart(controller: DispatchController, status: number, headers: ResponseHeaders): void {
    if (this.shown.hasEnded) controller.abort(NOBODY_READS);
    else this.shown.respond(status, headers);
  }

  onResponseData(_controller: DispatchController, chunk: Buffer): void {
    this.shown.data(chunk);
  }

  onResponseEnd(_controller: DispatchController, trailers: ResponseHeaders): void {
    this.shown.end(trailers);
  }

  onResponseError(_controller: DispatchController | undefined, error: Error): void {
    this.shown.fail(error);
  }
}

/** Reads a response that nobody gets, and then calls `onOver`; of a stream of events it reads nothing. */
export class Unread implements DispatchHandler {
  readonly #onOver: () => void;
  readonly #shown: ShownExchange | undefined;

  /** @param shown what its client sees of the request */
  constructor(onOver: () => void = () => {}, shown?: ShownExchange) {
    this.#onOver = onOver;
    this.#shown = shown;
  }

  onRequestStart(controller: DispatchController): void {
    this.#shown?.follow(controller);
  }

  onResponseStart(controller: DispatchController, _status: number, headers: ResponseHeaders): void {
    if (!String(headers['content-type']).startsWith('text/event-stream')) return;
    this.#onOver();
    controller.abort(NOBODY_READS);
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.#onOver();
  }

  onResponseError(): void {
    this.#onOver();
  }
}

/** Shows a response later. */
export class LateRelay extends Relay {
  readonly #clock: Clock;
  readonly #ms: number;
  /** What has arrived meanwhile: the platform is paused, so it is little. */
  #held: (() => void)[] | null = [];

  constructor(shown: ShownExchange, clock: Clock, ms: number) {
    super(shown);
    this.#clock = clock;
    this.#ms = ms;
  }

  override onResponseStart(controller: DispatchController, status: number, headers: ResponseHeaders): void {
    controller.pause();
    this.#later(() => super.onResponseStart(controller, status, headers));
    if (this.#ms === Number.POSITIVE_INFINITY) return;
    void this.#clock.sleep(this.#ms).then(() => this.#release(controller));
  }

  override onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.#later(() => super.onResponseData(controller, chunk));
  }

  override onResponseEnd(controller: DispatchController, trailers: ResponseHeaders): void {
    this.#later(() => super.onResponseEnd(controller, trailers));
  }

  override onResponseError(controller: DispatchController | undefined, error: Error): void {
    // Without a response nothing is late.
    if (this.#held?.length === 0) super.onResponseError(controller, error);
    else this.#later(() => super.onResponseError(controller, error));
  }

  #later(event: () => void): void {
    if (this.#held === null) event();
    else this.#held.push(event);
  }

  #release(controller: DispatchController): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) event();
    if (!this.shown.paused) controller.resume();
  }
}

export interface Cut {
  /** @default any number */
  readonly bytes?: number | undefined;
  /** Whether the connection breaks, or the response looks complete. @default 'reset' */
  readonly ending?: 'reset' | 'end' | undefined;
}

/** Shows the beginning of a response. */
export class CutRelay extends Relay {
  readonly #cut: Cut;
  readonly #random: RandomSource;
  #left = 0;

  constructor(shown: ShownExchange, cut: Cut, random: RandomSource) {
    super(shown);
    this.#cut = cut;
    this.#random = random;
  }

  override onResponseStart(controller: DispatchController, status: number, headers: ResponseHeaders): void {
    super.onResponseStart(controller, status, headers);
    const length = Number(headers['content-length'] ?? UNKNOWN_LENGTH);
    this.#left = this.#cut.bytes ?? Math.floor(this.#random() * length);
    if (this.#left === 0) this.#finish(controller);
  }

  override onResponseData(controller: DispatchController, chunk: Buffer): void {
    super.onResponseData(controller, chunk.subarray(0, this.#left));
    this.#left -= Math.min(this.#left, chunk.length);
    if (this.#left === 0) this.#finish(controller);
  }

  override onResponseEnd(controller: DispatchController): void {
    this.#finish(controller);
  }

  #finish(controller: DispatchController): void {
    if (this.#cut.ending === 'end') this.shown.end({});
    else this.shown.fail(connectionLost());
    controller.abort(NOBODY_READS);
  }
}

/** Shows a response with the times of another clock. */
export class SkewedRelay extends Relay {
  readonly #ms: number;
  #body: Buffer[] | undefined;
  #status = 0;
  #headers: ResponseHeaders = {};

  constructor(shown: ShownExchange, ms: number) {
    super(shown);
    this.#ms = ms;
  }

  override onResponseStart(controller: DispatchController, status: number, headers: ResponseHeaders): void {
    const date = Date.parse(String(headers.date));
    const shifted = new Date(date + this.#ms);
    this.#headers = Number.isNaN(date) ? headers : { ...headers, date: shifted.toUTCString() };
    this.#status = status;
    const isJson = /^application\/json\b/i.test(String(headers['content-type']));
    if (isJson && Number(headers['content-length']) <= MAX_SKEWED_BYTES) this.#body = [];
    else super.onResponseStart(controller, status, this.#headers);
  }

  override onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (this.#body === undefined) super.onResponseData(controller, chunk);
    else this.#body.push(chunk);
  }

  override onResponseEnd(controller: DispatchController, trailers: ResponseHeaders): void {
    if (this.#body !== undefined) {
      const body = this.#skewed(Buffer.concat(this.#body));
      const headers = { ...this.#headers, 'content-length': String(body.length) };
      super.onResponseStart(controller, this.#status, headers);
      super.onResponseData(controller, body);
    }
    super.onResponseEnd(controller, trailers);
  }

  #skewed(body: Buffer): Buffer {
    const shift = (_: string, before: string, time: string) =>
      `${before}${new Date(Date.parse(time) + this.#ms).toISOString()}`;
    return Buffer.from(
      body.toString('utf8').replace(/("server_time"\s*:\s*")(\d{4}-\d\d-\d\dT[\d:.]+Z)/, shift),
    );
  }
}

/** The connection broke after something was sent. */
export function connectionLost(): Error {
  return Object.assign(new Error('other side closed (chaos)'), { code: 'UND_ERR_SOCKET' });
}
