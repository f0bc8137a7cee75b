import type { DispatchController, DispatchHandler } from '../settings/connection-settings.ts';

export type ResponseHeaders = Record<string, string | string[] | undefined>;

/**
 * An exchange as its client sees it, which may differ from what happens at the platform. After its end nothing reaches the client.
 */
export class ShownExchange implements DispatchController {
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

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The request is being written, in the exchange that the client controls from now on. */
  follow(real: DispatchController): void {
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

  respond(status: number, headers: ResponseHeaders): void {
    if (!this.#hasEnded) this.#client.onResponseStart(this, status, headers);
  }

  data(chunk: Buffer): void {
    if (!this.#hasEnded) this.#client.onResponseData(this, chunk);
  }

  end(trailers: ResponseHeaders): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#client.onResponseEnd(this, trailers);
    this.#onEnd();
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
