import type { Dispatcher } from 'undici';
import type { Delivered } from '../errors/connection-error.ts';
import { TimeoutError } from '../errors/timeout-error.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { connectionFailure } from './connection-failure.ts';

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Whether the body exceeded the limit; then only its beginning was kept. */
  readonly isTooLarge: boolean;
}

export interface HttpAttempt {
  readonly origin: string;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly headers: string[];
  readonly body: string | null;
  readonly timeoutMs: number;
  /** Time limit from the headers of the response to its end, in milliseconds. @default what is left of `timeoutMs` */
  readonly bodyTimeoutMs?: number | undefined;
  readonly maxResponseBytes: number;
  /** Whether the beginning of a larger response is received; else such a response is refused by its size. */
  readonly keepsBeginning: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly onSent?: (() => void) | undefined;
}

const ENDED = new Error('The exchange has ended.');
const EMPTY = Buffer.alloc(0);

/**
 * Sends one request and reads the whole response. One deadline covers queueing, connecting, headers and body. Rejects with
 * the signal's reason, a `TimeoutError` or a `ConnectionError`; the latter two say whether the request may have been
 * processed. Uses undici's handler interface to avoid a stream per response.
 */
export function exchange(dispatcher: Dispatcher, attempt: HttpAttempt): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (attempt.signal?.aborted) {
      reject(attempt.signal.reason);
      return;
    }
    const handler = new ExchangeHandler(attempt, resolve, reject);
    dispatcher.dispatch(
      { path: attempt.path, method: attempt.method, headers: attempt.headers, body: attempt.body },
      handler,
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #attempt: HttpAttempt;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: Timer;
  #bodyTimer: Timer | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #hasEnded = false;
  #status = 0;
  #headers: HttpResponse['headers'] = {};
  #first: Buffer = EMPTY;
  #more: Buffer[] | undefined;
  #bytes = 0;

  constructor(
    attempt: HttpAttempt,
    resolve: (response: HttpResponse) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#attempt = attempt;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = attempt.clock.setTimer(attempt.timeoutMs, () => this.#timeOut(attempt.timeoutMs));
    attempt.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#hasEnded) {
      controller.abort(ENDED);
      return;
    }
    this.#controller = controller;
    this.#attempt.onSent?.();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpResponse['headers'],
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    // Before the platform has written it all and takes it for received.
    const { maxResponseBytes, keepsBeginning, bodyTimeoutMs, clock } = this.#attempt;
    if (!keepsBeginning && Number(headers['content-length']) > maxResponseBytes) this.#discard();
    if (bodyTimeoutMs === undefined || this.#hasEnded) return;
    // Most responses are complete when this runs.
    queueMicrotask(() => {
      if (this.#hasEnded) return;
      this.#bodyTimer = clock.setTimer(bodyTimeoutMs, () => this.#timeOut(bodyTimeoutMs));
    });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#hasEnded) return;
    const room = this.#attempt.maxResponseBytes - this.#bytes;
    this.#bytes += chunk.length;
    this.#keep(chunk.length > room ? chunk.subarray(0, room) : chunk);
    if (chunk.length > room) this.#discard();
  }

  #keep(chunk: Buffer): void {
    if (this.#more !== undefined) this.#more.push(chunk);
    else if (this.#first === EMPTY) this.#first = chunk;
    else this.#more = [this.#first, chunk];
  }

  onResponseEnd(): void {
    this.#finish(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#fail(() => connectionFailure(error, this.#attempt.origin, this.#delivered));
  }

  get #delivered(): Delivered {
    return this.#controller === undefined ? 'no' : 'unknown';
  }

  #timeOut(timeoutMs: number): void {
    const { origin, method } = this.#attempt;
    this.#fail(
      () =>
        new TimeoutError(`No complete response from ${origin} within ${Math.ceil(timeoutMs)} ms.`, {
          timeoutMs,
          delivered: this.#delivered,
          hint: method === 'GET' ? undefined : 'The platform may have processed the request.',
        }),
    );
  }

  readonly #onAbort = (): void => {
    this.#fail(() => this.#attempt.signal?.reason);
  };

  #finish(isTooLarge: boolean): void {
    if (!this.#end()) return;
    const body = this.#more === undefined ? this.#first : Buffer.concat(this.#more);
    this.#resolve({ status: this.#status, headers: this.#headers, body, isTooLarge });
  }

  #discard(): void {
    this.#finish(true);
    this.#controller?.abort(ENDED);
  }

  #fail(makeReason: () => unknown): void {
    if (!this.#end()) return;
    this.#reject(makeReason());
    this.#controller?.abort(ENDED);
  }

  #end(): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    this.#timer.cancel();
    this.#bodyTimer?.cancel();
    this.#attempt.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
