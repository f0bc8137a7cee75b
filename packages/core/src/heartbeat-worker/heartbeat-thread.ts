import type { Logger } from '../logging/logger.ts';
import type {
  DispatchController,
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import type { PlatformProxy } from '../settings/platform-proxy.ts';
import { type HeartbeatWorker, heartbeatWorker } from './heartbeat-worker.ts';
import type { ExchangeEnd, KeptHeartbeat, RepeatedHeartbeat } from './worker-messages.ts';

export interface HeartbeatThreadOptions {
  /** Longest time between two heartbeats, in milliseconds. */
  readonly intervalMs: number;
  /** How long the event loop may be blocked before the agent is reported as wedged, in milliseconds. */
  readonly maxBlockMs: number;
  /** Called with each heartbeat that was repeated while the event loop was blocked, when it runs again. */
  readonly onRepeated: (heartbeat: RepeatedHeartbeat) => void;
}

/**
 * Sends the heartbeats of one agent from the worker thread of this process, which repeats the last one while the event loop is
 * blocked. Opened by `client.openHeartbeatThread`; an option of `client.heartbeat`.
 */
export interface HeartbeatThread {
  /** Where the next heartbeat is sent from. */
  readonly place: 'worker' | 'main thread';
  /** What sends a heartbeat: the worker, or `direct` while there is none. */
  through(direct: RequestDispatcher): RequestDispatcher;
  /** The token of the following heartbeats. */
  authorize(token: string): void;
  /** Ends the repetitions. */
  close(): Promise<void>;
}

const CERTIFICATE_CODE = /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO_/;

interface WorkerHeartbeatsOptions extends HeartbeatThreadOptions {
  readonly logger: Logger;
  readonly proxy: PlatformProxy | null;
  readonly onClose: () => void;
}

/** The heartbeats of one agent. */
export class WorkerHeartbeats implements HeartbeatThread {
  readonly #options: WorkerHeartbeatsOptions;
  readonly #worker: HeartbeatWorker = heartbeatWorker();
  #agent: string | undefined;
  #isClosed = false;
  /** The worker does not trust the platform's certificate, as `tls.setDefaultCACertificates` is not for workers. */
  #isDistrusted = false;

  constructor(options: WorkerHeartbeatsOptions) {
    this.#options = options;
  }

  get place(): 'worker' | 'main thread' {
    return this.#worker.isReady && !this.#isDistrusted && !this.#isClosed ? 'worker' : 'main thread';
  }

  through(direct: RequestDispatcher): RequestDispatcher {
    if (this.#isClosed || this.#isDistrusted) return direct;
    return { dispatch: (request, handler) => this.#dispatch(request, handler, direct) };
  }

  authorize(token: string): void {
    if (this.#agent === undefined) return;
    this.#worker.post({ type: 'authorize', agent: this.#agent, authorization: `Bearer ${token}` });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.onClose();
    if (this.#agent !== undefined) await this.#worker.leave(this.#agent);
  }

  /** Apart from `#dispatch`: a function that is made there would keep the first request for as long as the agent runs. */
  #join(): string {
    const { logger, onRepeated } = this.#options;
    return this.#worker.join({
      repeated: onRepeated,
      warn: (fields, text) => logger.warn(fields, text),
    });
  }

  /** The first heartbeat does not wait for the start of the worker. */
  #dispatch(request: DispatchedRequest, handler: DispatchHandler, direct: RequestDispatcher): boolean {
    this.#agent ??= this.#join();
    const heartbeat = this.#keptOf(request);
    if (this.place === 'main thread') {
      this.#worker.post({ type: 'keep', agent: this.#agent, heartbeat });
      return direct.dispatch(request, handler);
    }
    const cancel = this.#worker.send({ agent: this.#agent, heartbeat }, (end) => {
      if (end === null || this.#isDistrusted) direct.dispatch(request, handler);
      else if (isDistrust(end)) direct.dispatch(request, this.#comparing(end.code, handler));
      else report(end, handler, controller);
    });
    const controller: DispatchController = {
      abort: () => cancel(),
      pause: () => {},
      resume: () => {},
    };
    handler.onRequestStart(controller, null);
    return true;
  }

  #keptOf({ origin, path, headers, body }: DispatchedRequest): KeptHeartbeat {
    const { intervalMs, maxBlockMs, proxy } = this.#options;
    const named: Record<string, string> = {};
    for (let at = 0; at + 1 < headers.length; at += 2) named[headers[at] ?? ''] = headers[at + 1] ?? '';
    return {
      origin,
      proxy: proxy && { origin: proxy.origin, authorization: proxy.authorization },
      path,
      headers: named,
      body: body ?? '',
      intervalMs,
      maxBlockMs,
    };
  }

  /**
   * If the main thread gets a response, only the worker does not trust the certificate: then all heartbeats are sent from the main
   * thread. A certificate that neither trusts may be replaced.
   */
  #comparing(code: string, handler: DispatchHandler): DispatchHandler {
    return {
      onRequestStart: (...start) => handler.onRequestStart(...start),
      onResponseStart: (...start) => {
        this.#distrust(code);
        handler.onResponseStart(...start);
      },
      onResponseData: (...data) => handler.onResponseData(...data),
      onResponseEnd: (...end) => handler.onResponseEnd(...end),
      onResponseError: (...failed) => handler.onResponseError(...failed),
    };
  }

  #distrust(code: string): void {
    if (this.#isDistrusted) return;
    this.#isDistrusted = true;
    this.#options.logger.warn(
      { code },
      'Heartbeats are sent from the main thread, because the worker thread does not trust the certificate.',
    );
    void this.close();
  }
}

function isDistrust(end: ExchangeEnd): end is Extract<ExchangeEnd, { kind: 'error' }> {
  return end.kind === 'error' && CERTIFICATE_CODE.test(end.code);
}

function report(end: ExchangeEnd, handler: DispatchHandler, controller: DispatchController): void {
  if (end.kind === 'error') {
    const { name, message, code } = end;
    handler.onResponseError(controller, Object.assign(new Error(message), { name, code }));
    return;
  }
  const { buffer, byteOffset, byteLength } = end.body;
  handler.onResponseStart(controller, end.status, end.headers);
  if (byteLength > 0) handler.onResponseData(controller, Buffer.from(buffer, byteOffset, byteLength));
  handler.onResponseEnd(controller, {});
}
