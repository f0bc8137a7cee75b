import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { type Instrument, Instruments } from './instruments.ts';
import {
  type Attributes,
  activeContext,
  type ObservableResult,
  type OpenTelemetry,
  type OtelSpan,
  openTelemetry,
  runWithSpan,
  safely,
  spanOf,
  traceOfSpan,
  withSpan,
} from './opentelemetry.ts';
import type { TraceContext } from './trace-context.ts';
import { runInTrace, traceIn } from './trace-scope.ts';

/** Ids, sizes, states and codes; never a text. What is `undefined` is left out. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

const KINDS = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const;
const ERROR = 2;

export interface OperationKind {
  /** The name of its tracing channel. */
  readonly channel: string;
  readonly kind: keyof typeof KINDS;
  /** The metric of its duration, in seconds. @default none */
  readonly duration?: Instrument;
  /** The facts that are attributes of that metric: few values each. */
  readonly labels: readonly string[];
}

export interface CounterKind {
  readonly counted: Instrument;
  /** The facts that are attributes of the metric: few values each. */
  readonly labels: readonly string[];
  /** The name of its channel. */
  readonly channel?: string;
}

/** What subscribers of `diagnostics_channel` get: of one operation the same object each time. */
export interface OperationEvent {
  readonly operation: string;
  facts: Attributes;
  /** `null` for an operation that belongs to no trace. */
  readonly traceparent: string | null;
  /** From its end, in milliseconds. */
  durationMs?: number;
  /** At an end that is a failure. */
  code?: string;
}

/** One operation that is in progress. */
export interface Operation {
  /** What requests of this operation name as their parent. */
  readonly trace: TraceContext | null;
  /** Runs `work` as a part of it. */
  run<T>(work: () => T): T;
  /** Adds a moment to its span. */
  event(name: string, facts: Facts): void;
  /** `code` says that it failed, and how. Only the first end counts. */
  end(facts: Facts, code?: string): void;
}

/** The start of operations of one kind. */
export interface Operations {
  /**
   * @param facts called only when something records it
   * @param parent `null` for an operation that begins a trace; without it the trace of the calling code
   */
  start(name: string, facts: () => Facts, parent?: TraceContext | null): Operation;
}

/**
 * Reports what one package does to OpenTelemetry, where the application has registered it, and to subscribers of `diagnostics_channel`.
 * Without both it does nothing, and nothing that either does can make an operation fail.
 */
export class Telemetry {
  readonly #name: string;
  readonly #version: string;
  readonly #instruments: Instruments;

  constructor(name: string, version: string) {
    this.#name = name;
    this.#version = version;
    this.#instruments = new Instruments(name, version);
  }

  operations(kind: OperationKind): Operations {
    const events = tracingChannel<unknown, OperationEvent>(kind.channel);
    return {
      start: (name, facts, parent) => {
        const registered = openTelemetry();
        const known = parent === undefined ? traceIn(registered) : parent;
        if (registered === undefined && !events.hasSubscribers) return passing(known, parent === undefined);
        const given = defined(facts());
        const span = safely(() => this.#startSpan(registered, name, kind, given, parent, known)) ?? undefined;
        return new RecordedOperation({
          name,
          kind,
          given,
          span,
          parent: known,
          events,
          instruments: this.#instruments,
        });
      },
    };
  }

  /** Counts something that happened; subscribers of the channel, if it has one, get all facts. */
  counter({ counted, labels, channel: name }: CounterKind): (facts: Facts, value?: number) => void {
    const events: Channel | undefined = name === undefined ? undefined : channel(name);
    return (facts, value) => {
      if (openTelemetry() === undefined && events?.hasSubscribers !== true) return;
      const given = defined(facts);
      safely(() => this.#instruments.count(counted, only(labels, given), value));
      if (events?.hasSubscribers === true) events.publish(given);
    };
  }

  /** Counts what is open at a time. */
  level(counted: Instrument): (change: number, facts?: Facts) => void {
    return (change, facts = {}) => safely(() => this.#instruments.change(counted, change, defined(facts)));
  }

  /** Records durations in seconds. */
  duration(measured: Instrument): (seconds: number, facts: Facts) => void {
    return (seconds, facts) => {
      if (openTelemetry() === undefined) return;
      safely(() => this.#instruments.record(measured, seconds, defined(facts)));
    };
  }

  /** Measures whenever metrics are collected, if a provider of meters is registered by now. Returns a function that ends it. */
  observe(measured: Instrument, read: (result: ObservableResult) => Promise<void>): () => void {
    const end = safely(() => this.#instruments.observe(measured, read));
    return () => safely(() => end?.());
  }

  #startSpan(
    registered: OpenTelemetry | undefined,
    name: string,
    { kind }: OperationKind,
    attributes: Attributes,
    parent: TraceContext | null | undefined,
    known: TraceContext | null,
  ): OtelSpan | undefined {
    if (registered?.trace === undefined) return undefined;
    const active = activeContext(registered);
    const isActive = parent === undefined && spanOf(active) !== undefined;
    const context = isActive ? active : withSpan(active, known);
    const tracer = registered.trace.getTracer(this.#name, this.#version);
    return tracer.startSpan(name, { kind: KINDS[kind], attributes }, context);
  }
}

interface Recorded {
  readonly name: string;
  readonly kind: OperationKind;
  readonly given: Attributes;
  readonly span: OtelSpan | undefined;
  readonly parent: TraceContext | null;
  readonly events: TracingChannel<unknown, OperationEvent>;
  readonly instruments: Instruments;
}

class RecordedOperation implements Operation {
  readonly trace: TraceContext | null;
  readonly #recorded: Recorded;
  readonly #event: OperationEvent;
  readonly #startedAt = performance.now();
  #hasEnded = false;

  constructor(recorded: Recorded) {
    const { span, parent, name, given, events } = recorded;
    this.#recorded = recorded;
    this.trace = (span && safely(() => traceOfSpan(span))) ?? parent;
    this.#event = { operation: name, facts: given, traceparent: this.trace?.traceparent ?? null };
    events.start.publish(this.#event);
  }

  run<T>(work: () => T): T {
    const { span } = this.#recorded;
    const registered = openTelemetry();
    const inScope = () => runInTrace(this.trace, work);
    if (registered === undefined || span === undefined) return inScope();
    return runWithSpan(registered, span, inScope);
  }

  event(name: string, facts: Facts): void {
    safely(() => this.#recorded.span?.addEvent(name, defined(facts)));
  }

  end(facts: Facts, code?: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { kind, span, events, instruments } = this.#recorded;
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const added = defined(code === undefined ? facts : { ...facts, 'error.type': code });
    const all = { ...this.#event.facts, ...added };
    const { duration } = kind;
    if (duration !== undefined)
      safely(() => instruments.record(duration, seconds, only([...kind.labels, 'error.type'], all)));
    safely(() => {
      span?.setAttributes(added);
      // The code alone: a description could have the words of a peer.
      if (code !== undefined) span?.setStatus({ code: ERROR, message: code });
      span?.end();
    });
    this.#event.facts = all;
    this.#event.durationMs = seconds * 1_000;
    if (code !== undefined) {
      this.#event.code = code;
      events.error.publish(this.#event);
    }
    events.asyncEnd.publish(this.#event);
  }
}

const UNRECORDED: Operation = { trace: null, run: (work) => work(), event: () => {}, end: () => {} };

/** An operation that nothing records. What it sends belongs to the trace of its parent. */
function passing(trace: TraceContext | null, isCurrent: boolean): Operation {
  if (!isCurrent) return { ...UNRECORDED, trace, run: (work) => runInTrace(trace, work) };
  return trace === null ? UNRECORDED : { ...UNRECORDED, trace };
}

function defined(facts: Facts): Attributes {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Attributes;
}

function only(labels: readonly string[], facts: Attributes): Attributes {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => labels.includes(name)));
}
