import { formatTraceparent, readTraceContext, spanIdsOf, type TraceContext } from './trace-context.ts';

/*
 * The parts of OpenTelemetry's API that are used, as types of our own. The API keeps what an application registers under a symbol of the
 * process, in which all copies of its major version find it; so nothing has to be loaded, resolved or bundled here, and what an
 * application registers later counts from then on.
 */

export type Attributes = Readonly<Record<string, string | number | boolean>>;

interface TraceState {
  set(key: string, value: string): TraceState;
  unset(key: string): TraceState;
  get(key: string): string | undefined;
  serialize(): string;
}

interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean;
  readonly traceState?: TraceState;
}

export interface OtelSpan {
  spanContext(): SpanContext;
  setAttributes(attributes: Attributes): unknown;
  addEvent(name: string, attributes?: Attributes): unknown;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  end(): void;
}

export interface OtelContext {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): OtelContext;
  deleteValue(key: symbol): OtelContext;
}

interface Tracer {
  startSpan(
    name: string,
    options: { readonly kind: number; readonly attributes: Attributes },
    context: OtelContext,
  ): OtelSpan;
}

interface InstrumentOptions {
  readonly description: string;
  readonly unit: string;
  readonly advice?: { readonly explicitBucketBoundaries: number[] };
}

export interface ObservableResult {
  observe(value: number, attributes?: Attributes): void;
}

interface ObservableGauge {
  addCallback(callback: (result: ObservableResult) => void | Promise<void>): void;
  removeCallback(callback: (result: ObservableResult) => void | Promise<void>): void;
}

export interface Meter {
  createCounter(
    name: string,
    options: InstrumentOptions,
  ): { add(value: number, attributes: Attributes): void };
  createUpDownCounter(
    name: string,
    options: InstrumentOptions,
  ): { add(value: number, attributes: Attributes): void };
  createHistogram(
    name: string,
    options: InstrumentOptions,
  ): { record(value: number, attributes: Attributes): void };
  createObservableGauge(name: string, options: InstrumentOptions): ObservableGauge;
}

/** What an application has registered. */
export interface OpenTelemetry {
  readonly trace?: { getTracer(name: string, version: string): Tracer };
  readonly metrics?: { getMeter(name: string, version: string): Meter };
  readonly context?: {
    active(): OtelContext;
    with<T>(context: OtelContext, run: () => T): T;
  };
}

const REGISTERED = Symbol.for('opentelemetry.js.api.1');
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN');

/** `undefined` when the application uses no OpenTelemetry. */
export function openTelemetry(): OpenTelemetry | undefined {
  try {
    return (Reflect.get(globalThis, REGISTERED) as OpenTelemetry | null | undefined) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Runs code of the application; it may fail, now or later, and that concerns nobody here. */
export function safely<T>(work: () => T): T | undefined {
  try {
    const result = work();
    if (result instanceof Promise) result.catch(() => {});
    return result;
  } catch {
    return undefined;
  }
}

/** The trace context of a span; `null` for one that belongs to no trace. */
export function traceOfSpan(span: Pick<OtelSpan, 'spanContext'>): TraceContext | null {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  return readTraceContext(
    formatTraceparent({ traceId, spanId, flags: traceFlags }),
    traceState?.serialize() ?? '',
  );
}

/** The context of the span that is active in the calling code. */
export function activeContext(registered: OpenTelemetry): OtelContext {
  return registered.context?.active() ?? EMPTY;
}

export function spanOf(context: OtelContext): OtelSpan | undefined {
  return (context.getValue(SPAN) as OtelSpan | null | undefined) ?? undefined;
}

/** Runs `work` exactly once and returns its own result, with the span active if the application's manager of contexts does its part. */
export function runWithSpan<T>(registered: OpenTelemetry, span: OtelSpan, work: () => T): T {
  let own: { readonly result: T } | { readonly error: unknown } | undefined;
  const run = (): T => {
    own ??= outcomeOf(work);
    if ('error' in own) throw own.error;
    return own.result;
  };
  safely(() => {
    const returned = registered.context?.with(withSpan(activeContext(registered), span), run);
    // The promise of `work` itself is for the caller.
    return own !== undefined && 'result' in own && own.result === returned ? undefined : returned;
  });
  return run();
}

function outcomeOf<T>(work: () => T): { readonly result: T } | { readonly error: unknown } {
  try {
    return { result: work() };
  } catch (error) {
    return { error };
  }
}

/** `context` with the span, or with the remote one that a trace context names, or with none. */
export function withSpan(context: OtelContext, span: OtelSpan | TraceContext | null): OtelContext {
  if (span === null) return context.deleteValue(SPAN);
  return context.setValue(SPAN, 'traceparent' in span ? remoteSpan(span) : span);
}

function remoteSpan(trace: TraceContext): OtelSpan {
  const { traceId, spanId, flags } = spanIdsOf(trace);
  const { tracestate } = trace;
  const spanContext: SpanContext = {
    traceId,
    spanId,
    traceFlags: flags,
    isRemote: true,
    ...(tracestate === '' ? {} : { traceState: new ReadTraceState(tracestate.split(',')) }),
  };
  const span = {
    spanContext: () => spanContext,
    isRecording: () => false,
    setAttributes: () => span,
    addEvent: () => span,
    setStatus: () => span,
    end: () => {},
  };
  return span;
}

/** The members of a `tracestate`, which samplers may change. */
class ReadTraceState implements TraceState {
  readonly #members: readonly string[];

  constructor(members: readonly string[]) {
    this.#members = members;
  }

  get(key: string): string | undefined {
    return this.#members.find((member) => member.startsWith(`${key}=`))?.slice(key.length + 1);
  }

  set(key: string, value: string): TraceState {
    return new ReadTraceState([`${key}=${value}`, ...this.#without(key)]);
  }

  unset(key: string): TraceState {
    return new ReadTraceState(this.#without(key));
  }

  serialize(): string {
    return this.#members.join(',');
  }

  #without(key: string): string[] {
    return this.#members.filter((member) => !member.startsWith(`${key}=`));
  }
}

/** For an application that has registered spans and no manager of contexts. */
class OwnContext implements OtelContext {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): OtelContext {
    return new OwnContext(new Map([...this.#values, [key, value]]));
  }

  deleteValue(key: symbol): OtelContext {
    return new OwnContext(new Map([...this.#values].filter(([known]) => known !== key)));
  }
}

const EMPTY: OtelContext = new OwnContext(new Map());
