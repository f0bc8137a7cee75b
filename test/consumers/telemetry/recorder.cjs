const { trace } = require('@opentelemetry/api');

/** What main.cjs uses of a set-up. */
exports.recorder = ({ spans, reader, meters }) => ({
  asUser: (work) =>
    trace.getTracer('user').startActiveSpan('user', (span) => work().finally(() => span.end())),
  recorded: async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    await meters.shutdown();
    return {
      spans: spans.getFinishedSpans().map((span) => {
        const { traceId, spanId } = span.spanContext();
        const parentSpanId = span.parentSpanContext?.spanId ?? span.parentSpanId;
        return { name: span.name, traceId, spanId, parentSpanId };
      }),
      metrics: resourceMetrics.scopeMetrics.flatMap((scope) =>
        scope.metrics.map(({ descriptor }) => descriptor.name),
      ),
    };
  },
});
