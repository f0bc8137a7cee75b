/** Trace context, spans, metrics and diagnostics channels. A test pins this list of exports. */
export type { Instrument } from './instruments.ts';
export type { ObservableResult } from './opentelemetry.ts';
export {
  type CounterKind,
  type Facts,
  type Operation,
  type OperationEvent,
  type OperationKind,
  type Operations,
  Telemetry,
} from './telemetry.ts';
export { readTraceContext, type TraceContext, traceHeaders } from './trace-context.ts';
export { currentTrace, runInTrace, withTraceHeaders } from './trace-scope.ts';
