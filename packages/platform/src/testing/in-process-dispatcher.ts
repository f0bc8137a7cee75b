import type { Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { MemoryListener } from './memory-listener.ts';

/** How long an idle connection stays open, in real milliseconds. */
const IDLE_MS = 3_600_000;

/**
 * The method `dispatch` of undici, as core takes it in its option `dispatcher`. The types are those of any version of undici from 7.
 */
export interface InProcessDispatcher {
  dispatch(options: InProcessRequest, handler: object): boolean;
}

/** As undici's `DispatchOptions`. */
export interface InProcessRequest {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method: string;
  readonly headers?: unknown;
  readonly body?: unknown;
}

/** Sends requests for one origin to a listener in the same process; requests for others fail. */
export class MemoryDispatcher implements InProcessDispatcher {
  readonly #origin: string;
  readonly #agent: Agent;

  constructor(origin: string, listener: MemoryListener) {
    this.#origin = origin;
    this.#agent = new Agent({ connect: listener.connect, keepAliveTimeout: IDLE_MS, allowH2: false });
  }

  dispatch(options: InProcessRequest, handler: object): boolean {
    const { origin = this.#origin } = options;
    if (URL.parse(String(origin))?.origin !== this.#origin) {
      throw Object.assign(new Error(`Only ${this.#origin} is in this process, not ${String(origin)}.`), {
        code: 'ENOTFOUND',
      });
    }
    // No time limits: they would be of the real time.
    const request = { ...options, origin: this.#origin, headersTimeout: 0, bodyTimeout: 0 };
    return this.#agent.dispatch(request as Dispatcher.DispatchOptions, handler as Dispatcher.DispatchHandler);
  }

  /** Pending requests fail. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
