import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TestEnvironment } from './test-environment.ts';

/** One point of a metric. */
export interface MetricPoint {
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram, the number of its values. */
  readonly value: number;
}

/** OpenTelemetry, registered for this process until the test ends. */
export interface RecordedTelemetry {
  /** Spans that have ended. */
  spans(): readonly ReadableSpan[];
  /** Everything that was exported, as an exporter sees it. */
  exported(): Promise<unknown>;
  points(): Promise<readonly MetricPoint[]>;
}

export function recordTelemetry(environment: TestEnvironment): RecordedTelemetry {
  const spans = new InMemorySpanExporter();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  metrics.setGlobalMeterProvider(meters);
  environment.onCleanup(async () => {
    trace.disable();
    context.disable();
    metrics.disable();
    await meters.shutdown();
  });
  const collect = async () => {
    exporter.reset();
    await meters.forceFlush();
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
  };
  return {
    spans: () => spans.getFinishedSpans(),
    exported: async () => {
      const shown = spans.getFinishedSpans().map((span) => {
        const { name, attributes, events, links, status } = span;
        return { name, attributes, events, links, status, context: span.spanContext() };
      });
      return [shown, await collect()];
    },
    points: async () =>
      (await collect())
        .flatMap(({ metrics: all }) => all)
        .flatMap(({ descriptor: { name }, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => ({
            name,
            attributes,
            value: typeof value === 'number' ? value : value.count,
          })),
        ),
  };
}
