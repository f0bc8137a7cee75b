/** The W3C Trace Context of a message or a request: the values of its two headers. */
export interface TraceContext {
  /** 55 characters of version 00: trace id, id of the span that sent it, flags. */
  readonly traceparent: string;
  /** At most 512 characters; `''` for none. */
  readonly tracestate: string;
}

export interface SpanIds {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly flags: number;
}

const LENGTH = 55;
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;
/** Sampled, and random trace id; the others are reserved and sent as zero. */
const KNOWN_FLAGS = 0x03;
const MAX_TRACEPARENT = 256;
const MAX_TRACESTATE = 512;
const MAX_MEMBERS = 32;
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/]{0,255}(?:@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads the values of the headers `traceparent` and `tracestate`; `null` for anything that is not valid. A later version is read as
 * version 00, and a `tracestate` that is not valid counts as none, as W3C Trace Context demands.
 */
export function readTraceContext(traceparent: unknown, tracestate?: unknown): TraceContext | null {
  const ids = idsOf(traceparent);
  return ids === null
    ? null
    : { traceparent: formatTraceparent(ids), tracestate: readTracestate(tracestate) };
}

/** The ids of a context that was read by {@link readTraceContext}. */
export function spanIdsOf({ traceparent }: TraceContext): SpanIds {
  const ids = idsOf(traceparent);
  if (ids === null) throw new Error('Not the trace context of a message.');
  return ids;
}

export function formatTraceparent({ traceId, spanId, flags }: SpanIds): string {
  return `00-${traceId}-${spanId}-${(flags & KNOWN_FLAGS).toString(16).padStart(2, '0')}`;
}

/** The headers of a request that belongs to this context; none for `null`. */
export function traceHeaders(trace: TraceContext | null): Record<string, string> {
  if (trace === null) return {};
  const { traceparent, tracestate } = trace;
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}

function idsOf(traceparent: unknown): SpanIds | null {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT) return null;
  const text = traceparent.trim();
  const [, version, traceId = '', spanId = '', flags = '', rest] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === 'ff' || ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  if (version === '00' && (rest !== undefined || text.length !== LENGTH)) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

function readTracestate(tracestate: unknown): string {
  if (typeof tracestate !== 'string' || tracestate.length > MAX_TRACESTATE) return '';
  const members = tracestate
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.split('=', 1)[0]));
  const isValid =
    members.length <= MAX_MEMBERS &&
    keys.size === members.length &&
    members.every((member) => MEMBER.test(member));
  return isValid ? members.join(',') : '';
}
