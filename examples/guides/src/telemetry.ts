/** Registers OpenTelemetry for an agent or a platform. */
// #region telemetry
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';

/** The exporters are those of your tool, for example the ones for OTLP. Call `stop` before the process ends. */
export function startTelemetry(spans: SpanExporter, values: PushMetricExporter): { stop(): Promise<void> } {
  const tracing = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter: spans })] });
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: values })] });
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(meters);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    stop: async () => {
      await tracing.shutdown();
      await meters.shutdown();
    },
  };
}
// #endregion telemetry
