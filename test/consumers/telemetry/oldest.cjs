// OpenTelemetry as an application set it up with version 1.3 of its API.
const { context, metrics, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} = require('@opentelemetry/sdk-metrics');
const {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} = require('@opentelemetry/sdk-trace-base');
const { recorder } = require('./recorder.cjs');

const spans = new InMemorySpanExporter();
const tracing = new BasicTracerProvider();
tracing.addSpanProcessor(new SimpleSpanProcessor(spans));
trace.setGlobalTracerProvider(tracing);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const meters = new MeterProvider();
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
meters.addMetricReader(reader);
metrics.setGlobalMeterProvider(meters);

module.exports = recorder({ spans, reader, meters });
