import type { IncomingHttpHeaders } from 'node:http';

/** Headers by their names in lower case. */
export type PassedHeaders = Readonly<Record<string, string>>;

/** What the sender's request says about the protocol and the trace it belongs to. */
const PASSED_ON = ['a2a-version', 'a2a-extensions', 'x-a2a-extensions', 'traceparent', 'tracestate'] as const;

/** A value that any HTTP client may send, and no longer than a column should be. */
const SENDABLE = /^[\x20-\x7e]{1,2048}$/;

/** The headers of a request that are stored with its message and passed on with each push of it. */
export function passedHeaders(headers: IncomingHttpHeaders): PassedHeaders {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = headers[name];
    const text = (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim();
    if (SENDABLE.test(text)) passed[name] = text;
  }
  return passed;
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
