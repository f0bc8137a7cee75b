import { AsyncLocalStorage } from 'node:async_hooks';
import {
  activeContext,
  type OpenTelemetry,
  openTelemetry,
  safely,
  spanOf,
  traceOfSpan,
} from './opentelemetry.ts';
import { type TraceContext, traceHeaders } from './trace-context.ts';

interface Scope {
  readonly trace: TraceContext | null;
}

const KEY = Symbol.for('@molecule-ai/telemetry/scope');

/** One for the process, whichever copies of this package an application loads. */
const scopes = ((): AsyncLocalStorage<Scope> => {
  const known = Reflect.get(globalThis, KEY) as AsyncLocalStorage<Scope> | undefined;
  if (known !== undefined) return known;
  const created = new AsyncLocalStorage<Scope>();
  Object.defineProperty(globalThis, KEY, { value: created });
  return created;
})();

/** Runs `work`, in which requests belong to this trace; to none with `null`. */
export function runInTrace<T>(trace: TraceContext | null, work: () => T): T {
  // Without a trace around it, nothing has to be said.
  return trace === null && scopes.getStore() === undefined ? work() : scopes.run({ trace }, work);
}

/** The trace of the calling code: of OpenTelemetry's active span where there is one, else that of {@link runInTrace}. */
export function currentTrace(): TraceContext | null {
  return traceIn(openTelemetry());
}

/** {@link currentTrace}, for whoever has looked up what is registered. */
export function traceIn(registered: OpenTelemetry | undefined): TraceContext | null {
  const active =
    registered &&
    safely(() => {
      const span = spanOf(activeContext(registered));
      return span && traceOfSpan(span);
    });
  return active ?? scopes.getStore()?.trace ?? null;
}

/** These headers and those that name the trace of the calling code; the same object where there is none. */
export function withTraceHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const trace = currentTrace();
  return trace === null ? headers : { ...headers, ...traceHeaders(trace) };
}
