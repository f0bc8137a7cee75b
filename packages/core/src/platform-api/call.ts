import {
  buildPath,
  INSTANCE_HEADER,
  type Route,
  type RouteParams,
  type RouteQuery,
  type RouteRequest,
  type RouteResponse,
  readResponse,
  type routes,
  TAKEOVER_HEADER,
  type Wire,
} from '@molecule-ai/protocol';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { shapeError } from '../transport/api-failure.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import { objectOf } from '../transport/http-response.ts';
import type {
  CallOptions,
  PlatformRequest,
  PlatformResponse,
  RequestLane,
} from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** Default time limit of a call that runs another agent, in milliseconds. */
const CALL_TIMEOUT_MS = 30_000;
const MAX_LOGGED_KEYS = 20;
const PLAIN = /^[\w.-]*$/;

type QueryValue = string | number | boolean | undefined;

interface AnyCall extends CallOptions {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  readonly body?: unknown;
  /** Overrides the current token; `null` sends none. */
  readonly bearer?: string | null | undefined;
  /** Time limit of one attempt, in milliseconds. @default the time limit of the route */
  readonly timeoutMs?: number | undefined;
  /** Time limit of all attempts and the pauses between them, in milliseconds. @default none */
  readonly totalTimeoutMs?: number | undefined;
  /** How long the platform may hold the request for an answer, in whole seconds. */
  readonly holdSeconds?: number | undefined;
  /** Additional headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The running agent that sends this. A platform without instances is not given it. @default none */
  readonly instanceId?: string | undefined;
  /** Whether that agent ends another one that reads. @default false */
  readonly takeover?: boolean | undefined;
  /** @default that of the route */
  readonly lane?: RequestLane | undefined;
  /** Whether retries are safe. @default as defined by the route */
  readonly isRepeatable?: boolean | undefined;
  /** Called with what was received of a response that is larger than the limit, before the call fails. */
  readonly onTooLarge?: ((received: Buffer) => void) | undefined;
  /** The workspace that a 410 of this route reports as removed. */
  readonly goneWorkspaceId?: string | undefined;
  /** Called when an attempt is written to a connection. */
  readonly onSent?: (() => void) | undefined;
  /** What sends each attempt, as in {@link PlatformRequest}. */
  readonly through?: PlatformRequest['through'];
  /** Whether an error of this route may contain the words of a peer. @default false */
  readonly relaysPeerText?: boolean | undefined;
  /** Keys of the response that may be missing, but must be readable. @default none */
  readonly needed?: readonly string[] | undefined;
}

/** The parameters, query and body of a route, and how to send them. Undefined query values are omitted. */
export type Call<R extends Route> = AnyCall & {
  readonly query?: { readonly [Name in keyof RouteQuery<R>]?: QueryValue };
} & ([keyof RouteParams<R>] extends [never] ? unknown : { readonly params: RouteParams<R> }) &
  ([RouteRequest<R>] extends [undefined] ? unknown : { readonly body: RouteRequest<R> | undefined });

/**
 * Calls a route and parses the response with the tolerant variant of its schema, which accepts unknown keys and values. An optional
 * key that cannot be read is left out, and logged by its name.
 * @throws ApiError `unexpected_response` when a required key is missing or has another type.
 */
export async function call<R extends Route>(
  transport: Transport,
  route: R,
  input: Call<R>,
): Promise<RouteResponse<R>> {
  return parseResponse(transport, route, input, await send(transport, route, input));
}

/** Parses the response to {@link send} as {@link call} does. */
export function parseResponse<R extends Route>(
  { settings }: Transport,
  route: R,
  input: Call<R>,
  { status, body }: PlatformResponse,
): RouteResponse<R> {
  const { needed, ...line }: AnyCall = input;
  const read = readResponse(schemaOf(route, status), body, needed);
  if (read.kind === 'unreadable') {
    const place = read.key === '' ? 'the body' : read.key;
    throw shapeError(requestLine(route, line), status, `${place}: ${read.problem}`);
  }
  if (read.dropped.length > 0) {
    const dropped = read.dropped.slice(0, MAX_LOGGED_KEYS);
    settings.logger.debug(
      { route: route.name, dropped },
      'Parts of a response cannot be read and are ignored.',
    );
  }
  return read.value as RouteResponse<R>;
}

/**
 * Calls a route and returns the unparsed response, for bodies that are read row by row and for headers. Retries and time
 * limit are defined by the route.
 */
export function send<R extends Route>(
  transport: Transport,
  route: R,
  input: Call<R>,
): Promise<PlatformResponse> {
  return transport.send(requestOf(transport, route, input));
}

/** As {@link send}; a stream of server-sent events is returned with its headers. */
export function open<R extends Route>(
  transport: Transport,
  route: R,
  input: Call<R>,
): Promise<PlatformResponse | StreamedResponse> {
  return transport.open(requestOf(transport, route, input));
}

function requestOf<R extends Route>(transport: Transport, route: R, input: Call<R>): PlatformRequest {
  const { query, body, signal, bearer, totalTimeoutMs, holdSeconds, ...rest }: AnyCall = input;
  return {
    ...requestLine(route, input),
    lane: input.lane ?? laneOf(route),
    query: queryString(query),
    body,
    isRepeatable: input.isRepeatable ?? isRepeatable(route, body),
    isKeyed: input.isRepeatable === undefined && route.repeat === 'keyed',
    timeoutMs: input.timeoutMs ?? timeLimitMs(transport, route, query),
    totalTimeoutMs,
    holdSeconds,
    headers: headersOf(transport, input),
    bearer,
    signal,
    onTooLarge: input.onTooLarge,
    goneWorkspaceId: rest.goneWorkspaceId,
    relaysPeerText: rest.relaysPeerText,
    onSent: rest.onSent,
    through: rest.through,
  };
}

function headersOf(
  { capabilities }: Transport,
  { headers, instanceId, takeover = false }: AnyCall,
): AnyCall['headers'] {
  if (instanceId === undefined || capabilities.lacks('instances')) return headers;
  return { ...headers, [INSTANCE_HEADER]: instanceId, ...(takeover ? { [TAKEOVER_HEADER]: '1' } : {}) };
}

/**
 * Method and path of a call.
 * @throws MoleculeError `invalid_argument` for an id that cannot be part of a path.
 */
export function requestLine(
  route: Route,
  { params = {} }: AnyCall,
): { method: Route['method']; path: string } {
  try {
    return { method: route.method, path: buildPath(route, params) };
  } catch (cause) {
    const message = isError(cause) ? cause.message : String(cause);
    throw new MoleculeError(message, { code: 'invalid_argument', cause });
  }
}

/** A DELETE is not retried: if only the response of the first one was lost, the second one returns 404. */
function isRepeatable({ method, repeat }: Route, body: unknown): boolean {
  if (repeat === 'keyed') return hasKey(body);
  return repeat === 'safe' || (repeat === 'idempotent' && method !== 'DELETE');
}

function hasKey(body: unknown): boolean {
  const fields = objectOf(body);
  const message = objectOf(objectOf(fields?.params)?.message);
  return fields?.idempotency_key !== undefined || message?.messageId !== undefined;
}

function timeLimitMs({ settings }: Transport, { timeLimit }: Route, query: AnyCall['query']): number {
  switch (timeLimit) {
    case 'request':
      return settings.requestTimeoutMs;
    case 'message':
      return settings.messageTimeoutMs;
    case 'wait':
      return settings.messageTimeoutMs + Number(query?.wait ?? 0) * 1_000;
    case 'call':
      return CALL_TIMEOUT_MS;
  }
}

/** Omits undefined entries; `''` if there are none. */
function queryString(entries: AnyCall['query'] = {}): string {
  let text = '';
  for (const key of Object.keys(entries)) {
    const value = entries[key];
    if (value === undefined) continue;
    text += `${text === '' ? '?' : '&'}${key}=${encoded(String(value))}`;
  }
  return text;
}

/** Ids, numbers and words, which are most values, need no encoder: its garbage is large. */
function encoded(value: string): string {
  return PLAIN.test(value) ? value : new URLSearchParams([['', value]]).toString().slice(1);
}

/** Compatible platforms may use another success status than this one. */
function schemaOf({ name, responses }: Route, status: number): Wire {
  const body = responses[status] ?? Object.values(responses)[0];
  if (body === undefined || 'media' in body) throw new Error(`The route ${name} has no JSON response.`);
  return body;
}

type RouteName = keyof typeof routes;

/** The platform reports an agent as offline without these. */
const PRESENCE: ReadonlySet<string> = new Set<RouteName>([
  'register',
  'heartbeat',
  'getWorkspaceState',
  'goodbye',
]);

/** An agent cannot receive messages, or finish them, without these; a reply is sent by a route that calls use too. */
const RECEIVING: ReadonlySet<string> = new Set<RouteName>([
  'getWorkspace',
  'probe',
  'jwks',
  'listActivity',
  'getActivityRow',
  'acknowledgeActivity',
  'reportProgress',
  'notify',
]);

/** The lane of the requests of a route, unless they name another one. */
export function laneOf({ name }: Route): RequestLane {
  if (PRESENCE.has(name)) return 'presence';
  return RECEIVING.has(name) ? 'receiving' : 'calls';
}
