import type { DispatchController, DispatchHandler } from '../settings/connection-settings.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';

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

  onResponseData(_real: DispatchController | undefined, chunk: Uint8Array): void {
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

/** Reads a response that nobody gets, and then calls `onOver`; of a stream of events it reads nothing. @param shown what its client sees of the request */
export function unread(onOver = (): void => {}, shown?: ShownExchange): DispatchHandler {
  return {
    onRequestStart: (real) => shown?.onRequestStart(real),
    onResponseStart(real, _status, headers) {
      if (!String(headers['content-type']).startsWith('text/event-stream')) return;
      onOver();
      real.abort(NOBODY_READS);
    },
    onResponseData() {},
    onResponseEnd: onOver,
    onResponseError: onOver,
  };
}

/** Shows a response later. */
export function late(shown: ShownExchange, clock: Clock, ms: number): DispatchHandler {
  /** What has arrived meanwhile: the platform is paused, so it is little. */
  let held: (() => void)[] | null = [];
  const later = (event: () => void): void => {
    if (held === null) event();
    else held.push(event);
  };
  const release = (real: DispatchController): void => {
    const events = held ?? [];
    held = null;
    for (const event of events) event();
    if (!shown.paused) real.resume();
  };
  return {
    onRequestStart: (real) => shown.onRequestStart(real),
    onResponseStart(real, status, headers) {
      real.pause();
      later(() => shown.onResponseStart(real, status, headers));
      if (ms !== Number.POSITIVE_INFINITY) void clock.sleep(ms).then(() => release(real));
    },
    onResponseData: (real, chunk) => later(() => shown.onResponseData(real, chunk)),
    onResponseEnd: (real, trailers) => later(() => shown.onResponseEnd(real, trailers)),
    onResponseError(_real, error) {
      // Without a response nothing is late.
      if (held?.length === 0) shown.fail(error);
      else later(() => shown.fail(error));
    },
  };
}

/** Shows the beginning of a response. */
export function cut(
  shown: ShownExchange,
  { bytes, ending }: { readonly bytes?: number; readonly ending?: 'reset' | 'end' },
  random: RandomSource,
): DispatchHandler {
  let left = 0;
  const finish = (real: DispatchController): void => {
    if (ending === 'end') shown.onResponseEnd(real, {});
    else shown.fail(connectionLost());
    real.abort(NOBODY_READS);
  };
  return {
    onRequestStart: (real) => shown.onRequestStart(real),
    onResponseStart(real, status, headers) {
      shown.onResponseStart(real, status, headers);
      const length = Number(headers['content-length'] ?? UNKNOWN_LENGTH);
      left = bytes ?? Math.floor(random() * length);
      if (left === 0) finish(real);
    },
    onResponseData(real, chunk) {
      shown.onResponseData(real, chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) finish(real);
    },
    onResponseEnd: finish,
    onResponseError: (_real, error) => shown.fail(error),
  };
}

/** Shows a response with the times of another clock. */
export function skewed(shown: ShownExchange, ms: number): DispatchHandler {
  let body: Uint8Array[] | undefined;
  let status = 0;
  let headers: Headers = {};
  return {
    onRequestStart: (real) => shown.onRequestStart(real),
    onResponseStart(real, realStatus, realHeaders) {
      const date = Date.parse(String(realHeaders.date));
      headers = Number.isNaN(date)
        ? realHeaders
        : { ...realHeaders, date: new Date(date + ms).toUTCString() };
      status = realStatus;
      const isJson = /^application\/json\b/i.test(String(headers['content-type']));
      if (isJson && Number(headers['content-length']) <= MAX_SKEWED_BYTES) body = [];
      else shown.onResponseStart(real, status, headers);
    },
    onResponseData(real, chunk) {
      if (body === undefined) shown.onResponseData(real, chunk);
      else body.push(chunk);
    },
    onResponseEnd(real, trailers) {
      if (body !== undefined) {
        const shifted = withServerTime(Buffer.concat(body), ms);
        headers = { ...headers, 'content-length': String(shifted.length) };
        shown.onResponseStart(real, status, headers);
        shown.onResponseData(real, shifted);
      }
      shown.onResponseEnd(real, trailers);
    },
    onResponseError: (_real, error) => shown.fail(error),
  };
}

function withServerTime(body: Buffer, shiftMs: number): Buffer {
  const shift = (_: string, before: string, time: string) =>
    `${before}${new Date(Date.parse(time) + shiftMs).toISOString()}`;
  const json = body.toString('utf8');
  return Buffer.from(json.replace(/("server_time"\s*:\s*")(\d{4}-\d\d-\d\dT[\d:.]+Z)/, shift));
}

/** The connection broke after something was sent. */
export function connectionLost(): Error {
  return Object.assign(new Error('other side closed (chaos)'), { code: 'UND_ERR_SOCKET' });
}
