import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { context, metrics, type TracerProvider as OtelProvider, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type OpenTelemetry, openTelemetry } from './opentelemetry.ts';
import { type OperationEvent, Telemetry } from './telemetry.ts';
import { readTraceContext } from './trace-context.ts';
import { currentTrace, runInTrace } from './trace-scope.ts';

const REMOTE = readTraceContext('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'a=1');
const telemetry = new Telemetry('test', '1.2.3');
const operations = telemetry.operations({
  channel: 'test:work',
  kind: 'consumer',
  duration: { name: 'test.work.duration', description: 'Work', unit: 's' },
  labels: ['outcome'],
});

function registerSpans({ hasContext = true } = {}): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  if (hasContext) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return exporter;
}

/** `disable()` leaves an empty registration, also that of another file in this process. */
const forgetRegistration = () => Reflect.deleteProperty(globalThis, Symbol.for('opentelemetry.js.api.1'));
beforeEach(forgetRegistration);
afterEach(() => {
  trace.disable();
  context.disable();
  metrics.disable();
  forgetRegistration();
});

describe('without OpenTelemetry and subscribers', () => {
  it('nothing is read of an operation, and its trace is that of its parent', () => {
    const facts = vi.fn(() => ({}));
    const seen = runInTrace(REMOTE, () => {
      const inherited = operations.start('inherited', facts);
      const root = operations.start('root', facts, null);
      return [inherited.trace, inherited.run(currentTrace), root.trace, root.run(currentTrace)];
    });
    expect(seen).toEqual([REMOTE, REMOTE, null, null]);
    expect(operations.start('given', facts, REMOTE).run(currentTrace)).toEqual(REMOTE);
    expect(facts).not.toHaveBeenCalled();
    expect(currentTrace()).toBeNull();
    expect(openTelemetry()).toBeUndefined();
  });
});

describe('spans', () => {
  it('are children of their parent, also of a remote one, and parents of spans that are made in them', async () => {
    const exporter = registerSpans();
    const work = operations.start('outer', () => ({ id: 'x', left: undefined }), REMOTE);
    await work.run(async () => {
      expect(currentTrace()).toEqual(work.trace);
      trace.getTracer('user').startActiveSpan('user', (span) => {
        operations.start('inner', () => ({})).end({}, 'broken');
        span.end();
      });
    });
    work.event('moment', { at: 1 });
    work.end({ outcome: 'done' });
    work.end({ outcome: 'again' });
    const [inner, user, outer] = exporter.getFinishedSpans();
    expect(outer).toMatchObject({ name: 'outer', attributes: { id: 'x', outcome: 'done' } });
    expect(outer?.attributes).not.toHaveProperty('left');
    expect(outer?.parentSpanContext).toMatchObject({ spanId: '00f067aa0ba902b7', isRemote: true });
    expect(outer?.events).toMatchObject([{ name: 'moment', attributes: { at: 1 } }]);
    expect(work.trace).toMatchObject({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${outer?.spanContext().spanId}-01`,
      tracestate: 'a=1',
    });
    expect(user?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(inner?.parentSpanContext?.spanId).toBe(user?.spanContext().spanId);
    expect(inner).toMatchObject({
      status: { code: 2, message: 'broken' },
      attributes: { 'error.type': 'broken' },
    });
    expect(exporter.getFinishedSpans()).toHaveLength(3);
  });

  it('begin a trace when their parent is null, whatever is active', () => {
    const exporter = registerSpans();
    trace.getTracer('user').startActiveSpan('user', (span) => {
      operations.start('root', () => ({}), null).end({});
      span.end();
    });
    const [root, user] = exporter.getFinishedSpans();
    expect(root?.parentSpanContext).toBeUndefined();
    expect(root?.spanContext().traceId).not.toBe(user?.spanContext().traceId);
  });

  it('have a parent without a manager of contexts too', () => {
    const exporter = registerSpans({ hasContext: false });
    const outer = operations.start('outer', () => ({}), null);
    outer.run(() => operations.start('inner', () => ({})).end({}));
    outer.end({});
    const [inner, recorded] = exporter.getFinishedSpans();
    expect(inner?.parentSpanContext?.spanId).toBe(recorded?.spanContext().spanId);
  });

  it('of a provider that throws break nothing', () => {
    const broken = () => {
      throw new Error('no');
    };
    trace.setGlobalTracerProvider({ getTracer: broken } as unknown as OtelProvider);
    metrics.setGlobalMeterProvider({ getMeter: broken });
    const operation = operations.start('work', () => ({}), REMOTE);
    expect(operation.run(currentTrace)).toEqual(REMOTE);
    operation.end({});
    telemetry.counter({ counted: { name: 'c', description: '', unit: '1' }, labels: [] })({});
    telemetry.observe({ name: 'g', description: '', unit: '1' }, async () => {})();
  });

  it('are made by the current API, whose types fit', () => {
    const registered = { trace, metrics, context } satisfies Required<OpenTelemetry>;
    expect(Object.keys(registered)).toHaveLength(3);
  });
});

describe('metrics', () => {
  it('have the facts that are labels, and count what is open', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const open = telemetry.level({ name: 'test.open', description: 'Open', unit: '{x}' });
    const counted = telemetry.counter({
      counted: { name: 'test.count', description: 'Count', unit: '{x}' },
      labels: ['kind'],
    });
    const took = telemetry.duration({ name: 'test.time', description: 'Time', unit: 's' });
    counted({ lost: true });
    metrics.setGlobalMeterProvider(provider);
    operations.start('work', () => ({ id: 'secret', outcome: 'a' })).end({}, 'code');
    open(1);
    open(1);
    open(-1);
    counted({ kind: 'x', id: 'secret' }, 3);
    took(0.2, { kind: 'y' });
    const stop = telemetry.observe(
      { name: 'test.depth', description: 'Depth', unit: '{x}' },
      async (result) => {
        result.observe(7);
      },
    );
    await provider.forceFlush();
    const points = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics: all }) => all)
      .map(({ descriptor, dataPoints: [point] }) => [descriptor.name, point?.attributes, point?.value]);
    expect(points).toEqual([
      ['test.work.duration', { outcome: 'a', 'error.type': 'code' }, expect.objectContaining({ count: 1 })],
      ['test.open', {}, 1],
      ['test.count', { kind: 'x' }, 3],
      ['test.time', { kind: 'y' }, expect.objectContaining({ count: 1, sum: 0.2 })],
      ['test.depth', {}, 7],
    ]);
    stop();
    await provider.shutdown();
  });
});

describe('channels', () => {
  it('get one object per operation, at its start and its end', () => {
    const channel = tracingChannel<unknown, OperationEvent>('test:work');
    const seen: [string, OperationEvent, OperationEvent][] = [];
    const on = (name: string) => (event: OperationEvent) => void seen.push([name, event, { ...event }]);
    const subscribers = {
      start: on('start'),
      end: on('end'),
      asyncStart: on('asyncStart'),
      asyncEnd: on('asyncEnd'),
      error: on('error'),
    };
    channel.subscribe(subscribers);
    operations.start('work', () => ({ id: 'x' }), REMOTE).end({ outcome: 'done' }, 'code');
    channel.unsubscribe(subscribers);
    operations.start('work', () => ({})).end({});
    expect(seen.map(([name]) => name)).toEqual(['start', 'error', 'asyncEnd']);
    expect(new Set(seen.map(([, event]) => event)).size).toBe(1);
    expect(seen[0]?.[2]).toEqual({ operation: 'work', facts: { id: 'x' }, traceparent: REMOTE?.traceparent });
    expect(seen[2]?.[2]).toEqual({
      operation: 'work',
      facts: { id: 'x', outcome: 'done', 'error.type': 'code' },
      traceparent: REMOTE?.traceparent,
      durationMs: expect.any(Number),
      code: 'code',
    });
  });

  it('of counters get the facts', () => {
    const count = telemetry.counter({
      counted: { name: 'test.beat', description: 'Beats', unit: '{x}' },
      labels: [],
      channel: 'test:beat',
    });
    const seen: unknown[] = [];
    const listener = (facts: unknown) => void seen.push(facts);
    subscribe('test:beat', listener);
    count({ result: 'ok', none: undefined });
    unsubscribe('test:beat', listener);
    count({ result: 'late' });
    expect(seen).toEqual([{ result: 'ok' }]);
  });
});
