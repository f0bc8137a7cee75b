import type { InboundMessage } from '@molecule-ai/protocol';
import { PollDelivery } from '../src/inbound/deliveries.ts';
import type { AttemptHandler } from '../src/inbound/handler.ts';
import { Inbound } from '../src/inbound/inbound.ts';
import type { InboundOptions } from '../src/inbound/inbound-options.ts';
import { type InboundStore, loadLines, MemoryInboundStore } from '../src/inbound/inbound-store.ts';
import type { LedgerLine } from '../src/inbound/ledger-lines.ts';
import { type RecordingLogger, recordingLogger } from '../src/testing/recording-logger.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryFeed } from './memory-feed.ts';

type Operation = 'report' | 'store attempt' | 'store outcome' | 'store finish' | 'reply' | 'acknowledge';

/** Simulates a crash: afterwards no call has an effect or returns. */
export class CrashSwitch {
  hasCrashed = false;
  #point: { when: 'before' | 'after'; operation: Operation } | undefined;

  /** Crashes at the next such operation. */
  arm(when: 'before' | 'after', operation: Operation): void {
    this.#point = { when, operation };
  }

  store(store: InboundStore): InboundStore {
    return {
      load: () => store.load(),
      append: (lines) => this.#guard(lines.flatMap(operationsOf), () => store.append(lines)),
      replace: (lines) => this.#guard(lines.flatMap(operationsOf), () => store.replace(lines)),
    };
  }

  client(client: InboundOptions['client']): InboundOptions['client'] {
    return {
      workspaceId: client.workspaceId,
      get capabilities() {
        return client.capabilities;
      },
      fetchInboundPage: (query) => (this.hasCrashed ? never() : client.fetchInboundPage(query)),
      fetchCancellations: (query) => (this.hasCrashed ? never() : client.fetchCancellations(query)),
      askQuestions: (asked, options) => this.#guard([], () => client.askQuestions(asked, options)),
      acknowledge: (id, options) => this.#guard(['acknowledge'], () => client.acknowledge(id, options)),
      reportProgress: (report, options) =>
        this.#guard(['report'], async () => client.reportProgress?.(report, options) ?? never()),
      observeReply: (message) => client.observeReply(message),
      sentMessages: async () => () => false,
      reply: (message, text, options) => this.#guard(['reply'], () => client.reply(message, text, options)),
    };
  }

  async #guard<T>(operations: readonly Operation[], work: () => Promise<T>): Promise<T> {
    this.#crashAt('before', operations);
    if (this.hasCrashed) return never();
    const result = await work();
    this.#crashAt('after', operations);
    return this.hasCrashed ? never() : result;
  }

  #crashAt(when: 'before' | 'after', operations: readonly Operation[]): void {
    if (this.#point?.when === when && operations.includes(this.#point.operation)) this.hasCrashed = true;
  }
}

/** One run of an agent's inbound side, from start to crash or stop. */
export interface InboundRun {
  readonly inbound: Inbound;
  readonly clock: ManualClock;
  readonly feed: MemoryFeed;
  readonly store: InboundStore;
  readonly logger: RecordingLogger;
  readonly crash: CrashSwitch;
  /** The calls of the observer: `event:row`, or `event` alone. */
  readonly observed: string[];
  /** Rows whose handler was started, in order. */
  readonly handled: string[];
  /** Runs pending promises, then advances the time. */
  advance(ms?: number): Promise<void>;
  /** Simulates a crash. */
  kill(): void;
}

/** Starts a run; pass `feed` and `store` of an earlier one to simulate a restart. */
export async function startInbound(
  options: Partial<InboundOptions> & {
    readonly feed?: MemoryFeed;
    readonly clock?: ManualClock;
    readonly prepare?: (run: { readonly feed: MemoryFeed; readonly crash: CrashSwitch }) => void;
  } = {},
): Promise<InboundRun> {
  const { feed: earlierFeed, prepare, handler = async () => null, ...rest } = options;
  const clock = options.clock ?? new ManualClock();
  const feed = earlierFeed ?? new MemoryFeed(clock);
  const logger = recordingLogger();
  const crash = new CrashSwitch();
  const store = options.store ?? new MemoryInboundStore();
  const observed: string[] = [];
  const handled: string[] = [];
  prepare?.({ feed, crash });
  const inbound = new Inbound({
    delivery: new PollDelivery({ intervalMs: 1_000 }),
    reconnectSpreadMs: 2_000,
    random: () => 0.5,
    concurrency: 1,
    readAhead: 100,
    mayAsk: () => true,
    retry: { attempts: 5, delayMs: 1_000, maxDelayMs: 64_000 },
    handlerTimeoutMs: null,
    atMostOnce: false,
    watch: { open: () => {}, close: () => {}, read: () => {}, received: () => false },
    logger,
    ...rest,
    clock,
    client: crash.client(feed),
    store: crash.store(store),
    observer: recordingObserver(observed),
    handler: (message, context) => {
      handled.push(message.id);
      return handler(message, context);
    },
  });
  await inbound.load();
  inbound.open();
  return {
    inbound,
    clock,
    feed,
    store,
    logger,
    crash,
    observed,
    handled,
    advance: (ms = 0) => clock.advance(ms),
    kill: () => {
      crash.hasCrashed = true;
      inbound.close();
    },
  };
}

/** Handlers that run until the test ends them. */
export class HeldHandlers {
  readonly #ends = new Map<string, (outcome: { value?: unknown; error?: unknown }) => void>();
  readonly signals = new Map<string, AbortSignal>();
  readonly handler: AttemptHandler = (message, context) => {
    this.signals.set(message.id, context.signal);
    return new Promise((resolve, reject) => {
      this.#ends.set(message.id, (outcome) =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value),
      );
    });
  };

  get running(): string[] {
    return [...this.#ends.keys()];
  }

  finish(id: string, value?: unknown): void {
    this.#end(id, { value });
  }

  fail(id: string, error: unknown = new Error('The handler failed.')): void {
    this.#end(id, { error });
  }

  #end(id: string, outcome: { value?: unknown; error?: unknown }): void {
    const end = this.#ends.get(id);
    if (end === undefined) throw new Error(`${id} is not being handled.`);
    this.#ends.delete(id);
    end(outcome);
  }
}

/** Runs the event loop until `isDone`; for code that does real I/O. */
export async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isDone())) await new Promise((resolve) => setImmediate(resolve));
}

/** The last acknowledged row that a log has, and how many lines of it are unreadable. */
export async function positionIn(store: Pick<InboundStore, 'load'>) {
  const logger = recordingLogger();
  const lines = await loadLines(store, logger);
  const acknowledged = lines.findLast((line) => line.acknowledged !== undefined)?.acknowledged;
  return { acknowledged, unreadable: logger.messages('warn').length };
}

/** The operations that a line of the log represents. */
function operationsOf(line: string): Operation[] {
  const { finished, progress } = JSON.parse(line) as LedgerLine;
  if (finished !== undefined && finished.keys.length > 0) return ['store finish'];
  if (progress === undefined) return [];
  return (progress.answer ?? null) === null ? ['store attempt'] : ['store outcome'];
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

function recordingObserver(observed: string[]): InboundOptions['observer'] {
  const withRow =
    (event: string) =>
    (message: InboundMessage): void =>
      void observed.push(`${event}:${message.id}`);
  const withoutRow = (event: string) => (): void => void observed.push(event);
  return {
    started: withRow('started'),
    progressed: (message, text) => void observed.push(`progressed:${message.id}:${text}`),
    ended: (message, end) => void observed.push(`${typeof end === 'string' ? end : 'failed'}:${message.id}`),
    replySent: withRow('replySent'),
    emit: (event, message) => void observed.push(`${event}:${message.id}`),
    expired: withRow('expired'),
    retrying: (message, { stage, attempt, delayMs }) =>
      void observed.push(`retrying:${message.id}:${stage}:${attempt}:${delayMs}`),
    gaveUp: (message, { stage, attempts }) => void observed.push(`gaveUp:${message.id}:${stage}:${attempts}`),
    stuck: withRow('stuck'),
    cursorLost: withoutRow('cursorLost'),
    setAside: ({ activityId }) => void observed.push(`setAside:${activityId}`),
    degraded: (reason) => void observed.push(`degraded:${reason}`),
    recovered: () => {},
  };
}
