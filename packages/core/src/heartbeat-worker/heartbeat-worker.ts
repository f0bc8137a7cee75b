import type { Worker } from 'node:worker_threads';
import { tlsEnvironment } from '../settings/environment.ts';
import { processState } from '../storage/process-state.ts';
import { systemClock } from '../time/clock.ts';
import {
  type ExchangeEnd,
  type FromWorker,
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

/** What an agent of this process gets from the worker. */
export interface WorkerUser {
  repeated(heartbeat: RepeatedHeartbeat): void;
  warn(fields: { error?: unknown; isRestarted?: boolean }, text: string): void;
}

/**
 * The worker thread that sends the heartbeats of all agents of this process. It runs while an agent uses it, keeps the
 * process alive only while it sends a heartbeat, and is started again a few times when it ends by itself; meanwhile `isReady` is false.
 */
export class HeartbeatWorker {
  readonly #users = new Map<string, WorkerUser>();
  readonly #exchanges = new Map<number, (end: ExchangeEnd | null) => void>();
  #worker: Worker | undefined;
  #isOnline = false;
  #startedAt = 0;
  #failures = 0;
  #isGivenUp = false;
  #isRestarting = false;
  #agents = 0;
  #lastExchange = 0;

  /** Whether it runs, and sends what it is given. */
  get isReady(): boolean {
    return this.#isOnline;
  }

  /** Returns the id of the agent. */
  join(user: WorkerUser): string {
    this.#agents += 1;
    const id = String(this.#agents);
    this.#users.set(id, user);
    this.#start();
    return id;
  }

  /** Resolves when the worker has ended, if this was the last agent. */
  async leave(id: string): Promise<void> {
    if (!this.#users.delete(id)) return;
    this.post({ type: 'forget', agent: id });
    if (this.#users.size > 0) return;
    this.#isGivenUp = false;
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

  /** Sends a heartbeat, whose end is `null` when the worker ends before; returns what cancels it. */
  send(
    message: Omit<Extract<ToWorker, { type: 'send' }>, 'type' | 'exchange'>,
    onEnd: (end: ExchangeEnd | null) => void,
  ): () => void {
    this.#lastExchange += 1;
    const exchange = this.#lastExchange;
    this.#exchanges.set(exchange, onEnd);
    // Nothing else waits in a process whose agent is paused.
    this.#worker?.ref();
    this.post({ type: 'send', exchange, ...message });
    return () => {
      if (this.#forget(exchange)) this.post({ type: 'cancel', exchange });
    };
  }

  #forget(exchange: number): boolean {
    const isKnown = this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) this.#worker?.unref();
    return isKnown;
  }

  #start(): void {
    if (this.#worker !== undefined || this.#isRestarting || this.#isGivenUp) return;
    try {
      this.#worker = this.#create();
      this.#startedAt = systemClock.monotonic();
    } catch (error) {
      this.#isGivenUp = true;
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
      if (this.#worker === worker) this.#isOnline = true;
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
        this.#users.get(message.agent)?.repeated(message.heartbeat);
        break;
    }
  }

  /** What it was sending is sent again from the main thread. */
  #ended(worker: Worker): boolean {
    if (this.#worker !== worker) return false;
    this.#worker = undefined;
    this.#isOnline = false;
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
    if (delayMs === undefined) {
      this.#isGivenUp = true;
      return;
    }
    this.#isRestarting = true;
    systemClock.setTimer(delayMs, () => {
      this.#isRestarting = false;
      if (this.#users.size > 0) this.#start();
    });
  }

  #warn(...line: Parameters<WorkerUser['warn']>): void {
    const [user] = this.#users.values();
    user?.warn(...line);
  }
}

/** The worker of this process. */
export function heartbeatWorker(): HeartbeatWorker {
  return processState(`heartbeat-worker/${MESSAGES_VERSION}`, () => new HeartbeatWorker());
}
