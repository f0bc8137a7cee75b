import type { IncomingHttpHeaders } from 'node:http';
import { readTraceContext, type TraceContext, traceHeaders } from '@molecule-ai/telemetry';

/** Headers by their names in lower case. */
export type PassedHeaders = Readonly<Record<string, string>>;

/** What the sender's request says about the protocol. */
const PASSED_ON = ['a2a-version', 'a2a-extensions', 'x-a2a-extensions'] as const;

/** A value that any HTTP client may send, and no longer than a column should be. */
const SENDABLE = /^[\x20-\x7e]{1,2048}$/;

/** The headers of a request that are stored with its message and passed on with each push of it, its trace included. */
export function passedHeaders(headers: IncomingHttpHeaders): PassedHeaders {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = headers[name];
    const text = (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim();
    if (SENDABLE.test(text)) passed[name] = text;
  }
  return { ...passed, ...traceHeaders(traceOf(headers)) };
}

/** The trace that a request or a message belongs to; null for none. */
export function traceOf({
  traceparent,
  tracestate,
}: PassedHeaders | IncomingHttpHeaders): TraceContext | null {
  return readTraceContext(traceparent, tracestate);
}

/** Headers with another trace; with their own for null. */
export function withTrace(headers: PassedHeaders, trace: TraceContext | null): PassedHeaders {
  if (trace === null || trace.traceparent === headers.traceparent) return headers;
  const { traceparent: _parent, tracestate: _state, ...others } = headers;
  return { ...others, ...traceHeaders(trace) };
}

/** Headers with the trace of another message where they name none. */
export function inTraceOf(
  headers: PassedHeaders,
  other: { readonly passed_headers: string | null } | undefined,
): PassedHeaders {
  if (other === undefined || headers.traceparent !== undefined) return headers;
  return { ...headers, ...traceHeaders(traceOf(storedHeaders(other))) };
}

/** The value of the column; null for none. */
export function storeHeaders(headers: PassedHeaders): string | null {
  return Object.keys(headers).length === 0 ? null : JSON.stringify(headers);
}

/** The headers of a stored message. */
export function storedHeaders({
  passed_headers: text,
}: {
  readonly passed_headers: string | null;
}): PassedHeaders {
  return text === null ? {} : (JSON.parse(text) as PassedHeaders);
}
