import { type Delivered, TimeoutError } from '../errors/connection-error.ts';
import { isError } from '../errors/is-error.ts';
import type {
  DispatchController,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import type { Bytes } from '../settings/node-types.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { connectionFailure, nameOfProxy, type ProxyName } from './connection-failure.ts';
import type { HttpResponse } from './http-response.ts';
import { ResponseStream } from './response-stream.ts';

/** A response that is read as it arrives: 200 `text/event-stream`. */
export interface StreamedResponse extends Pick<HttpResponse, 'status' | 'headers'> {
  readonly stream: ResponseStream;
}

export interface HttpAttempt {
  readonly origin: string;
  /** What the requests to the origin pass, for errors. */
  readonly proxy?: ProxyName | null;
  readonly method: string;
  readonly path: string;
  /** Headers of every request, names and values in turn. */
  readonly base: readonly string[];
  /** Of this one; `accept` is JSON unless it names another one. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bearer: string | null | undefined;
  /** JSON. */
  readonly body: string | null;
  readonly timeoutMs: number;
  /** Time limit from the headers of the response to its end, in milliseconds. @default what is left of `timeoutMs` */
  readonly bodyTimeoutMs?: number | undefined;
  readonly maxResponseBytes: number;
  /** Whether the beginning of a larger response is received; else such a response is refused by its size. */
  readonly keepsBeginning?: boolean;
  /** Whether a stream of server-sent events is returned with its headers. @default false: it is read to its end */
  readonly isStreamed?: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onSent?: (() => void) | undefined;
}

/** Longest time without a byte of a streamed response. */
const STREAM_IDLE_MS = 300_000;
const EVENT_STREAM = /^text\/event-stream\s*(?:;|$)/i;
const ENDED = new Error('The exchange has ended.');

/** One request and its response. Implements undici's handler interface, to avoid a stream per response. */
class Exchange implements DispatchHandler {
  readonly #dispatcher: RequestDispatcher;
  readonly #attempt: HttpAttempt;
  readonly #open: OpenExchanges;
  readonly #received = Promise.withResolvers<HttpResponse | StreamedResponse>();
  readonly response = this.#received.promise;
  #timeoutMs: number;
  /** When it is given up, on the monotonic clock. */
  endsAt: number;
  #controller: DispatchController | undefined;
  hasEnded = false;
  #status = 0;
  #headers: HttpResponse['headers'] = {};
  readonly #chunks: Bytes[] = [];
  #bytes = 0;
  #stream: ResponseStream | undefined;

  constructor(dispatcher: RequestDispatcher, attempt: HttpAttempt, open: OpenExchanges) {
    this.#dispatcher = dispatcher;
    this.#attempt = attempt;
    this.#open = open;
    this.#timeoutMs = attempt.timeoutMs;
    this.endsAt = open.clock.monotonic() + attempt.timeoutMs;
    attempt.signal?.addEventListener('abort', this, { once: true });
  }

  /** Sends the request, once. */
  send(): void {
    const { origin, path, method, base, bearer, headers: own, body } = this.#attempt;
    const headers = [...base];
    if (own.accept === undefined) headers.push('accept', 'application/json');
    if (bearer) headers.push('authorization', `Bearer ${bearer}`);
    if (body !== null) headers.push('content-type', 'application/json');
    for (const name in own) headers.push(name, own[name] ?? '');
    const request = { origin, path, method, headers, body, headersTimeout: 0, bodyTimeout: 0 } as const;
    try {
      this.#dispatcher.dispatch(request, this);
    } catch (error) {
      this.onResponseError(undefined, isError(error) ? error : new Error(String(error)));
    }
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.cancel(this.#attempt.signal?.reason);
  }

  onRequestStart(controller: DispatchController): void {
    if (this.hasEnded) {
      controller.abort(ENDED);
      return;
    }
    this.#controller = controller;
    this.#attempt.onSent?.();
  }

  onResponseStart(controller: DispatchController, status: number, headers: HttpResponse['headers']): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    if (this.#attempt.isStreamed && status === 200 && EVENT_STREAM.test(String(headers['content-type']))) {
      this.#startStream(controller);
      return;
    }
    // Before the platform has written it all and takes it for received.
    const { maxResponseBytes, keepsBeginning, bodyTimeoutMs } = this.#attempt;
    if (!keepsBeginning && Number(headers['content-length']) > maxResponseBytes) this.#discard();
    if (bodyTimeoutMs === undefined) return;
    const endsAt = this.#open.clock.monotonic() + bodyTimeoutMs;
    if (endsAt >= this.endsAt) return;
    this.#timeoutMs = bodyTimeoutMs;
    this.endsAt = endsAt;
    this.#open.watch(endsAt);
  }

  onResponseData(_controller: DispatchController, chunk: Bytes): void {
    if (this.hasEnded) return;
    if (this.#stream !== undefined) {
      this.#stream.push(chunk);
      return;
    }
    const room = this.#attempt.maxResponseBytes - this.#bytes;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    if (chunk.length > room) this.#discard();
  }

  #startStream(connection: DispatchController): void {
    if (this.hasEnded) return;
    this.endsAt = Number.POSITIVE_INFINITY;
    this.#timeoutMs = STREAM_IDLE_MS;
    const stream = new ResponseStream({
      connection,
      clock: this.#open.clock,
      idleTimeoutMs: STREAM_IDLE_MS,
      onIdle: () => this.timeOut(),
      onClose: () => this.cancel(ENDED),
    });
    this.#stream = stream;
    this.#received.resolve({ status: this.#status, headers: this.#headers, stream });
  }

  onResponseEnd(): void {
    this.#finish(false);
  }

  onResponseError(_controller: DispatchController | undefined, error: Error): void {
    if (this.hasEnded) return;
    const { origin, proxy } = this.#attempt;
    removeReceived(error);
    this.cancel(connectionFailure(error, origin, this.#delivered, proxy));
  }

  /** Ends it: what waits for it rejects with the reason, and its connection is closed. */
  cancel(reason: unknown): void {
    if (!this.#end()) return;
    if (this.#stream === undefined) this.#received.reject(reason);
    else this.#stream.fail(reason);
    this.#controller?.abort(ENDED);
  }

  get #delivered(): Delivered {
    return this.#controller === undefined ? 'no' : 'unknown';
  }

  timeOut(): void {
    const { origin, proxy } = this.#attempt;
    const timeoutMs = this.#timeoutMs;
    const through = proxy ? ` through ${nameOfProxy(proxy)}` : '';
    const text = `No complete response from ${origin}${through} within ${Math.ceil(timeoutMs)} ms.`;
    this.cancel(new TimeoutError(text, { timeoutMs, delivered: this.#delivered, hint: this.#timeoutHint }));
  }

  get #timeoutHint(): string | undefined {
    const { proxy, method } = this.#attempt;
    if (this.#delivered === 'unknown') {
      return method === 'GET' ? undefined : 'The platform may have processed the request.';
    }
    return proxy ? `There was no connection yet: check the proxy at ${proxy.host}.` : undefined;
  }

  #finish(isTooLarge: boolean): void {
    if (!this.#end()) return;
    if (this.#stream !== undefined) {
      this.#stream.complete();
      return;
    }
    const [first] = this.#chunks;
    const body: Bytes =
      first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#received.resolve({ status: this.#status, headers: this.#headers, body, isTooLarge });
  }

  #discard(): void {
    this.#finish(true);
    this.#controller?.abort(ENDED);
  }

  #end(): boolean {
    if (this.hasEnded) return false;
    this.hasEnded = true;
    this.#open.delete(this);
    this.#attempt.signal?.removeEventListener('abort', this);
    return true;
  }
}

/**
 * Deletes the bytes that undici keeps in an error when they are not HTTP. A server that sends back what it receives puts the credential
 * of the request there, and the error would be printed with it.
 */
function removeReceived(error: Error): void {
  Reflect.deleteProperty(error, 'data');
  if (isError(error.cause)) Reflect.deleteProperty(error.cause, 'data');
}

/** The exchanges of one client that have not ended. At most so many run at the same time; the others wait for their turn. */
export class OpenExchanges {
  readonly clock: Clock;
  readonly #most: number;
  readonly #running = new Set<Exchange>();
  /** The longest first. Also those that have ended meanwhile. */
  readonly #waiting: Exchange[] = [];
  /** Places of exchanges that have ended, whose connections may not be free yet. */
  #ended = 0;
  /** Places that are kept for exchanges that wait. */
  #kept = 0;
  #timer: Timer | undefined;
  #timerEndsAt = Number.POSITIVE_INFINITY;

  /** @param most `Infinity` for no limit */
  constructor(clock: Clock, most: number) {
    this.clock = clock;
    this.#most = most;
  }

  /**
   * Sends one request and reads the whole response, now or when it is its turn. One deadline covers waiting, connecting, headers and body.
   * Rejects with the signal's reason, a `TimeoutError` or a `ConnectionError`; the latter two say whether the request may have been
   * processed. The body of a streamed response has no total time limit, is bounded by the reader only, and ends with the signal.
   */
  exchange(dispatcher: RequestDispatcher, attempt: HttpAttempt): Promise<HttpResponse | StreamedResponse> {
    if (attempt.signal?.aborted) return Promise.reject(attempt.signal.reason);
    const exchange = new Exchange(dispatcher, attempt, this);
    this.watch(exchange.endsAt);
    if (this.#running.size + this.#ended + this.#kept < this.#most) {
      this.#running.add(exchange);
      exchange.send();
    } else {
      this.#waiting.push(exchange);
      if (this.#ended > 0) {
        this.#ended -= 1;
        this.#sendNextSoon();
      }
    }
    return exchange.response;
  }

  /** Call when an exchange has ended. */
  delete(exchange: Exchange): void {
    if (!this.#running.delete(exchange)) return;
    if (this.#waiting.length > this.#kept) this.#sendNextSoon();
    else this.#ended += 1;
  }

  cancelAll(reason: Error): void {
    for (const exchange of [...this.#waiting, ...this.#running]) exchange.cancel(reason);
    this.#timer?.cancel();
  }

  /** Call when an exchange has a deadline. All share one timer: one for each takes a noticeable part of a call. */
  watch(endsAt: number): void {
    if (endsAt >= this.#timerEndsAt) return;
    this.#timer?.cancel();
    this.#timerEndsAt = endsAt;
    this.#timer = this.clock.setTimer(endsAt - this.clock.monotonic(), () => this.#timeOut());
  }

  #timeOut(): void {
    this.#timerEndsAt = Number.POSITIVE_INFINITY;
    const now = this.clock.monotonic();
    for (const exchange of [...this.#waiting, ...this.#running]) {
      if (exchange.endsAt <= now) exchange.timeOut();
      else this.watch(exchange.endsAt);
    }
  }

  /**
   * Keeps a place for the next one that waits, until its connection is free: undici frees a connection in an immediate that it requests after it
   * has reported the end of a response.
   */
  #sendNextSoon(): void {
    this.#kept += 1;
    queueMicrotask(() => setImmediate(this.#sendNext));
  }

  readonly #sendNext = (): void => {
    this.#kept -= 1;
    this.#ended = 0;
    let next = this.#waiting.shift();
    while (next?.hasEnded) next = this.#waiting.shift();
    if (next === undefined) return;
    this.#running.add(next);
    next.send();
  };
}
