import type { Worker } from 'node:worker_threads';
import type { LogFields, Logger } from '../logging/logger.ts';
import type {
  DispatchController,
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import { tlsEnvironment } from '../settings/environment.ts';
import type { PlatformProxy } from '../settings/platform-proxy.ts';
import { processState } from '../storage/process-state.ts';
import { systemClock } from '../time/clock.ts';
import {
  type ExchangeEnd,
  type FromWorker,
  type KeptHeartbeat,
  MESSAGES_VERSION,
  type RepeatedHeartbeat,
  type ToWorker,
} from './worker-messages.ts';
import { WORKER_SOURCE } from './worker-source.ts';

/** Pauses before the worker is started again, in milliseconds; after the last one it is given up. */
const RESTART_DELAYS_MS = [1_000, 10_000, 60_000];
/** A worker that ran for this long starts the pauses anew, in milliseconds. */
const STABLE_AFTER_MS = 600_000;
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 };
const CERTIFICATE_CODE = /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO_/;

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

  constructor(options: WorkerHeartbeatsOptions) {
    this.#options = options;
  }

  get place(): 'worker' | 'main thread' {
    return this.#worker.isReady && !this.#isClosed ? 'worker' : 'main thread';
  }

  through(direct: RequestDispatcher): RequestDispatcher {
    if (this.#isClosed) return direct;
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

  /** The first heartbeat does not wait for the start of the worker. */
  #dispatch(request: DispatchedRequest, handler: DispatchHandler, direct: RequestDispatcher): boolean {
    this.#agent ??= this.#worker.join(this.#options);
    const agent = this.#agent;
    const heartbeat = this.#keptOf(request);
    if (this.place === 'main thread') {
      this.#worker.post({ type: 'keep', agent, exchange: null, heartbeat });
      return direct.dispatch(request, handler);
    }
    const abort = this.#worker.send(agent, heartbeat, (end) => {
      if (end === null) direct.dispatch(request, handler);
      else if (end.kind === 'error' && CERTIFICATE_CODE.test(end.code)) {
        direct.dispatch(request, this.#comparing(end.code, handler));
      } else report(end, handler, controller);
    });
    const controller: DispatchController = { abort, pause: () => {}, resume: () => {} };
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
   * If the main thread gets a response, only the worker does not trust the certificate, because `tls.setDefaultCACertificates` is not
   * for workers: then all heartbeats are sent from the main thread. A certificate that neither trusts may be replaced.
   */
  #comparing(code: string, handler: DispatchHandler): DispatchHandler {
    return {
      onRequestStart: (...start) => handler.onRequestStart(...start),
      onResponseStart: (...start) => {
        if (!this.#isClosed) {
          const text =
            'Heartbeats are sent from the main thread, because the worker thread does not trust the certificate.';
          this.#options.logger.warn({ code }, text);
          void this.close();
        }
        handler.onResponseStart(...start);
      },
      onResponseData: (...data) => handler.onResponseData(...data),
      onResponseEnd: (...end) => handler.onResponseEnd(...end),
      onResponseError: (...failed) => handler.onResponseError(...failed),
    };
  }
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

/**
 * The worker thread that sends the heartbeats of all agents of this process. It runs while an agent uses it, keeps the
 * process alive only while it sends a heartbeat, and is started again a few times when it ends by itself; meanwhile `isReady` is false.
 */
class HeartbeatWorker {
  readonly #users = new Map<string, Pick<WorkerHeartbeatsOptions, 'logger' | 'onRepeated'>>();
  readonly #exchanges = new Map<number, (end: ExchangeEnd | null) => void>();
  #worker: Worker | undefined;
  /** Whether it runs, and sends what it is given. */
  isReady = false;
  #startedAt = 0;
  #failures = 0;
  /** It is not started now, or was given up. */
  #isHeld = false;
  #agents = 0;
  #lastExchange = 0;

  /** Returns the id of the agent. */
  join({ logger, onRepeated }: WorkerHeartbeatsOptions): string {
    this.#agents += 1;
    const id = String(this.#agents);
    this.#users.set(id, { logger, onRepeated });
    this.#start();
    return id;
  }

  /** Resolves when the worker has ended, if this was the last agent. */
  async leave(id: string): Promise<void> {
    if (!this.#users.delete(id)) return;
    this.post({ type: 'forget', agent: id });
    if (this.#users.size > 0) return;
    this.#isHeld = false;
    this.#failures = 0;
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#ended(worker);
    await worker.terminate();
  }

  /** Nothing happens without a worker. */
  post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Sends a heartbeat, whose end is `null` when the worker ends before; returns what forgets it. */
  send(agent: string, heartbeat: KeptHeartbeat, onEnd: (end: ExchangeEnd | null) => void): () => void {
    this.#lastExchange += 1;
    const exchange = this.#lastExchange;
    this.#exchanges.set(exchange, onEnd);
    // Nothing else waits in a process whose agent is paused.
    this.#worker?.ref();
    this.post({ type: 'keep', agent, exchange, heartbeat });
    return () => this.#forget(exchange);
  }

  #forget(exchange: number): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) this.#worker?.unref();
  }

  #start(): void {
    if (this.#worker !== undefined || this.#isHeld) return;
    try {
      this.#worker = this.#create();
      this.#startedAt = systemClock.monotonic();
    } catch (error) {
      this.#isHeld = true;
      this.#warn({ error }, 'Heartbeats are sent from the main thread, because no worker thread can start.');
    }
  }

  #create(): Worker {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    const worker = new Worker(WORKER_SOURCE, {
      eval: true,
      name: 'molecule-heartbeats',
      execArgv: [],
      argv: [],
      env: tlsEnvironment(),
      resourceLimits: RESOURCE_LIMITS,
    });
    let problem: unknown;
    worker.on('online', () => {
      if (this.#worker === worker) this.isReady = true;
    });
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => {
      problem = error;
    });
    worker.on('exit', () => this.#lost(worker, problem));
    worker.unref();
    return worker;
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ping':
        this.post({ type: 'pong' });
        break;
      case 'ended': {
        const onEnd = this.#exchanges.get(message.exchange);
        this.#forget(message.exchange);
        onEnd?.(message.end);
        break;
      }
      case 'repeated':
        this.#users.get(message.agent)?.onRepeated(message.heartbeat);
        break;
    }
  }

  /** What it was sending is sent again from the main thread. */
  #ended(worker: Worker): boolean {
    if (this.#worker !== worker) return false;
    this.#worker = undefined;
    this.isReady = false;
    const open = [...this.#exchanges.values()];
    this.#exchanges.clear();
    for (const onEnd of open) onEnd(null);
    return true;
  }

  #lost(worker: Worker, error: unknown): void {
    if (!this.#ended(worker)) return;
    if (systemClock.monotonic() - this.#startedAt > STABLE_AFTER_MS) this.#failures = 0;
    const delayMs = RESTART_DELAYS_MS[this.#failures];
    this.#failures += 1;
    const isRestarted = delayMs !== undefined;
    if (this.#failures === 1 || !isRestarted) {
      const text =
        'The worker thread for heartbeats has ended; they are sent from the main thread meanwhile.';
      this.#warn({ error, isRestarted }, text);
    }
    this.#isHeld = true;
    if (!isRestarted) return;
    systemClock.setTimer(delayMs, () => {
      this.#isHeld = false;
      if (this.#users.size > 0) this.#start();
    });
  }

  #warn(fields: LogFields, text: string): void {
    const [user] = this.#users.values();
    user?.logger.warn(fields, text);
  }
}

/** The worker of this process. */
function heartbeatWorker(): HeartbeatWorker {
  return processState(`heartbeat-worker/${MESSAGES_VERSION}`, () => new HeartbeatWorker());
}
