import { readTraceContext, traceHeaders } from '@molecule-ai/telemetry';

/** The keys of a row that say which trace its message belongs to; none for a message that belongs to none. */
export function traceKeys({ passed_headers: stored }: { readonly passed_headers: string | null }): {
  traceparent?: string;
  tracestate?: string;
} {
  if (stored === null) return {};
  const { traceparent, tracestate } = JSON.parse(stored) as Record<string, unknown>;
  return traceHeaders(readTraceContext(traceparent, tracestate));
}
