import { trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** A span, as it passes between processes. */
export interface SpanRecord {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
}

export function recordOf(span: ReadableSpan): SpanRecord {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name.replace('molecule ', ''),
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
  };
}

/** Runs something in a span named `user`, of the tests' own. */
export function asUser<T>(work: () => Promise<T>): Promise<T> {
  return trace.getTracer('user').startActiveSpan('user', async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
}

/** Of each span in the trace of the user: the names of its ancestors, from the first, itself included. Sorted. */
export function lineagesOf(spans: readonly SpanRecord[]): string[] {
  const traceId = spans.find(({ name }) => name === 'user')?.traceId;
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const lineageOf = (span: SpanRecord): string => {
    const parent = byId.get(span.parentSpanId ?? '');
    return parent === undefined ? span.name : `${lineageOf(parent)} > ${span.name}`;
  };
  return spans
    .filter((span) => span.traceId === traceId)
    .map(lineageOf)
    .sort();
}
