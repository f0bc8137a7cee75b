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
import type { ApiError } from '../errors/api-error.ts';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { shapeError } from '../transport/api-failure.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import type { PlatformRequest, PlatformResponse, RequestLane } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** Default time limit of a call that runs another agent, in milliseconds. */
const CALL_TIMEOUT_MS = 30_000;
const MAX_LOGGED_KEYS = 20;
const PLAIN = /^[\w.-]*$/;

type QueryValue = string | number | boolean | undefined;

/** What a call may say in place of its route. */
type InPlace = 'lane' | 'isRepeatable' | 'timeoutMs';

/** What a call says of its request; the route says the rest. */
interface AnyCall
  extends Omit<PlatformRequest, InPlace | 'method' | 'path' | 'query' | 'isKeyed'>,
    Readonly<Partial<{ [Name in InPlace]: PlatformRequest[Name] | undefined }>> {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  /** The running agent that sends this. A platform without instances is not given it. @default none */
  readonly instanceId?: string | undefined;
  /** Whether that agent ends another one that reads. @default false */
  readonly takeover?: boolean | undefined;
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
  const read = readResponse(schemaOf(route, status), body, input.needed);
  if (read.kind === 'unreadable') {
    throw unreadable(route, input, status, `${read.key === '' ? 'the body' : read.key}: ${read.problem}`);
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

/** The error for a response that is not what the route returns. */
export function unreadable(
  route: Route,
  input: Pick<AnyCall, 'params'>,
  status: number,
  problem: string,
): ApiError {
  return shapeError(requestLine(route, input), status, problem);
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
  // Without `isStreamed` there are no streams.
  return open(transport, route, input) as Promise<PlatformResponse>;
}

/** As {@link send}; with `isStreamed` a stream of server-sent events is returned with its headers. */
export function open<R extends Route>(
  transport: Transport,
  route: R,
  input: Call<R>,
): Promise<PlatformResponse | StreamedResponse> {
  return transport.send(requestOf(transport, route, input));
}

function requestOf(transport: Transport, route: Route, input: AnyCall): PlatformRequest {
  const { instanceId, takeover, headers } = input;
  const isNamed = instanceId !== undefined && !transport.capabilities.lacks('instances');
  const takes = takeover === true ? { [TAKEOVER_HEADER]: '1' } : {};
  return {
    ...input,
    ...requestLine(route, input),
    lane: input.lane ?? LANES[route.name] ?? 'calls',
    query: queryString(input.query),
    isRepeatable: input.isRepeatable ?? isRepeatable(route),
    isKeyed: input.isRepeatable === undefined && route.repeat === 'keyed',
    timeoutMs: input.timeoutMs ?? timeLimitMs(transport, route, input.query),
    headers: isNamed ? { ...headers, [INSTANCE_HEADER]: instanceId, ...takes } : headers,
  };
}

/**
 * Method and path of a call.
 * @throws MoleculeError `invalid_argument` for an id that cannot be part of a path.
 */
export function requestLine(
  route: Route,
  { params = {} }: Pick<AnyCall, 'params'>,
): { method: Route['method']; path: string } {
  try {
    return { method: route.method, path: buildPath(route, params) };
  } catch (cause) {
    const message = isError(cause) ? cause.message : String(cause);
    throw new MoleculeError(message, { code: 'invalid_argument', cause });
  }
}

/** A DELETE is not retried: if only the response of the first one was lost, the second one returns 404. The client always sends a key. */
function isRepeatable({ method, repeat }: Route): boolean {
  return repeat === 'safe' || repeat === 'keyed' || (repeat === 'idempotent' && method !== 'DELETE');
}

function timeLimitMs({ settings }: Transport, { timeLimit }: Route, query: AnyCall['query']): number {
  if (timeLimit === 'call') return CALL_TIMEOUT_MS;
  if (timeLimit === 'request') return settings.requestTimeoutMs;
  return settings.messageTimeoutMs + (timeLimit === 'wait' ? Number(query?.wait ?? 0) * 1_000 : 0);
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

/** The lane of the requests of a route, unless they name another one; `calls` for all others. */
const LANES: Readonly<Record<string, RequestLane | undefined>> = {
  // The platform reports an agent as offline without these.
  register: 'presence',
  heartbeat: 'presence',
  getWorkspaceState: 'presence',
  goodbye: 'presence',
  // An agent cannot receive messages, or finish them, without these; a reply is sent by a route that calls use too.
  getWorkspace: 'receiving',
  probe: 'receiving',
  jwks: 'receiving',
  listActivity: 'receiving',
  getActivityRow: 'receiving',
  acknowledgeActivity: 'receiving',
  reportProgress: 'receiving',
  notify: 'receiving',
} satisfies { readonly [Name in keyof typeof routes]?: RequestLane };
