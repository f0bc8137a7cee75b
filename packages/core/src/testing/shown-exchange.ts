import type { DispatchController, DispatchHandler } from '../settings/connection-settings.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { Fault } from './chaos-rules.ts';

type Headers = Record<string, string | string[] | undefined>;

/** Larger responses keep their `server_time`. */
const MAX_SKEWED_BYTES = 64 * 1024;
/** Of a response whose length is not known, it is cut within so many bytes. */
const UNKNOWN_LENGTH = 256;
const NOBODY_READS = new Error('Nobody reads this response.');

/**
 * An exchange as its client sees it, which may differ from what happens at the platform: it handles the real one, if there is one, and is
 * what the client controls. After its end nothing reaches the client.
 */
export class ShownExchange implements DispatchHandler, DispatchController {
  readonly #client: DispatchHandler;
  readonly #onEnd: () => void;
  #real: DispatchController | undefined;
  #hasStarted = false;
  #hasEnded = false;
  // What undici's own clients read.
  aborted = false;
  paused = false;
  reason: Error | null = null;

  /** @param onEnd called when it has ended for the client */
  constructor(client: DispatchHandler, onEnd: () => void = () => {}) {
    this.#client = client;
    this.#onEnd = onEnd;
  }

  /** The request is being written, in the exchange that the client controls from now on. */
  onRequestStart(real: DispatchController): void {
    if (!this.#hasEnded) {
      this.#real = real;
      this.start();
    } else if (!this.#hasStarted && this.reason !== null) {
      // Given up before anything was sent. Otherwise the request was on its way, and arrives.
      real.abort(this.reason);
    }
  }

  /** The request is being written. */
  start(): void {
    if (this.#hasStarted || this.#hasEnded) return;
    this.#hasStarted = true;
    this.#client.onRequestStart(this, {});
  }

  onResponseStart(real: DispatchController | undefined, status: number, headers: Headers): void {
    if (this.#hasEnded) real?.abort(NOBODY_READS);
    else this.#client.onResponseStart(this, status, headers);
  }

  onResponseData(_real: DispatchController | undefined, chunk: Buffer): void {
    if (!this.#hasEnded) this.#client.onResponseData(this, chunk);
  }

  onResponseEnd(_real: DispatchController | undefined, trailers: Headers): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#client.onResponseEnd(this, trailers);
    this.#onEnd();
  }

  onResponseError(_real: DispatchController | undefined, error: Error): void {
    this.fail(error);
  }

  fail(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#client.onResponseError(this.#hasStarted ? this : undefined, error);
    this.#onEnd();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#real?.abort(reason);
    this.fail(reason);
  }

  pause(): void {
    this.paused = true;
    this.#real?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#real?.resume();
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
    this.#shown?.onRequestStart(controller);
  }

  onResponseStart(controller: DispatchController, _status: number, headers: Headers): void {
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
export class LateExchange extends ShownExchange {
  readonly #clock: Clock;
  readonly #ms: number;
  /** What has arrived meanwhile: the platform is paused, so it is little. */
  #held: (() => void)[] | null = [];

  constructor(client: DispatchHandler, clock: Clock, ms: number) {
    super(client);
    this.#clock = clock;
    this.#ms = ms;
  }

  override onResponseStart(real: DispatchController, status: number, headers: Headers): void {
    real.pause();
    this.#later(() => super.onResponseStart(real, status, headers));
    if (this.#ms === Number.POSITIVE_INFINITY) return;
    void this.#clock.sleep(this.#ms).then(() => this.#release(real));
  }

  override onResponseData(real: DispatchController, chunk: Buffer): void {
    this.#later(() => super.onResponseData(real, chunk));
  }

  override onResponseEnd(real: DispatchController, trailers: Headers): void {
    this.#later(() => super.onResponseEnd(real, trailers));
  }

  override onResponseError(_real: DispatchController | undefined, error: Error): void {
    // Without a response nothing is late.
    if (this.#held?.length === 0) this.fail(error);
    else this.#later(() => this.fail(error));
  }

  #later(event: () => void): void {
    if (this.#held === null) event();
    else this.#held.push(event);
  }

  #release(real: DispatchController): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) event();
    if (!this.paused) real.resume();
  }
}

/** Shows the beginning of a response. */
export class CutExchange extends ShownExchange {
  readonly #cut: Extract<Fault, { fault: 'truncate' }>;
  readonly #random: RandomSource;
  #left = 0;

  constructor(client: DispatchHandler, cut: Extract<Fault, { fault: 'truncate' }>, random: RandomSource) {
    super(client);
    this.#cut = cut;
    this.#random = random;
  }

  override onResponseStart(real: DispatchController, status: number, headers: Headers): void {
    super.onResponseStart(real, status, headers);
    const length = Number(headers['content-length'] ?? UNKNOWN_LENGTH);
    this.#left = this.#cut.bytes ?? Math.floor(this.#random() * length);
    if (this.#left === 0) this.onResponseEnd(real);
  }

  override onResponseData(real: DispatchController, chunk: Buffer): void {
    super.onResponseData(real, chunk.subarray(0, this.#left));
    this.#left -= Math.min(this.#left, chunk.length);
    if (this.#left === 0) this.onResponseEnd(real);
  }

  override onResponseEnd(real: DispatchController): void {
    if (this.#cut.ending === 'end') super.onResponseEnd(real, {});
    else this.fail(connectionLost());
    real.abort(NOBODY_READS);
  }
}

/** Shows a response with the times of another clock. */
export class SkewedExchange extends ShownExchange {
  readonly #ms: number;
  #body: Buffer[] | undefined;
  #status = 0;
  #headers: Headers = {};

  constructor(client: DispatchHandler, ms: number) {
    super(client);
    this.#ms = ms;
  }

  override onResponseStart(real: DispatchController, status: number, headers: Headers): void {
    const date = Date.parse(String(headers.date));
    const shifted = new Date(date + this.#ms);
    this.#headers = Number.isNaN(date) ? headers : { ...headers, date: shifted.toUTCString() };
    this.#status = status;
    const isJson = /^application\/json\b/i.test(String(headers['content-type']));
    if (isJson && Number(headers['content-length']) <= MAX_SKEWED_BYTES) this.#body = [];
    else super.onResponseStart(real, status, this.#headers);
  }

  override onResponseData(real: DispatchController, chunk: Buffer): void {
    if (this.#body === undefined) super.onResponseData(real, chunk);
    else this.#body.push(chunk);
  }

  override onResponseEnd(real: DispatchController, trailers: Headers): void {
    if (this.#body !== undefined) {
      const body = this.#skewed(Buffer.concat(this.#body));
      const headers = { ...this.#headers, 'content-length': String(body.length) };
      super.onResponseStart(real, this.#status, headers);
      super.onResponseData(real, body);
    }
    super.onResponseEnd(real, trailers);
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
