import {
  buildPath,
  type Capability,
  INSTANCE_HEADER,
  type Route,
  type RouteParams,
  type RouteQuery,
  type RouteRequest,
  type RouteResponse,
  readResponse,
  routes,
  TAKEOVER_HEADER,
} from '@molecule-ai/protocol';
import { ApiError, CursorLostError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { shapeError } from '../transport/api-failure.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import type { PlatformRequest, PlatformResponse, RequestLane } from '../transport/platform-request.ts';
import { Transport } from '../transport/transport.ts';
import { type ActivityPage, type ActivityRead, readActivityPage } from './activity.ts';

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

/** What only some platforms have, and what to do without it. */
export interface Feature {
  readonly word: Capability;
  readonly problem: string;
  readonly hint: string;
}

/** The requests to a platform by the routes of protocol. */
export class PlatformApi extends Transport {
  /**
   * Calls a route and parses the response with the tolerant variant of its schema, which accepts unknown keys and values. An optional
   * key that cannot be read is left out, and logged by its name.
   * @throws ApiError `unexpected_response` when a required key is missing or has another type.
   */
  async call<R extends Route>(route: R, input: Call<R>): Promise<RouteResponse<R>> {
    return this.parse(route, input, await this.send(route, input));
  }

  /** Parses the response to {@link send} as {@link call} does. */
  parse<R extends Route>(route: R, input: Call<R>, { status, body }: PlatformResponse): RouteResponse<R> {
    // Compatible platforms may use another success status than the route.
    const shape = route.responses[status] ?? Object.values(route.responses)[0];
    if (shape === undefined || 'media' in shape) throw new Error(`${route.name} has no JSON response.`);
    const read = readResponse(shape, body, input.needed);
    if (read.kind === 'unreadable') {
      throw unreadable(route, input, status, `${read.key === '' ? 'the body' : read.key}: ${read.problem}`);
    }
    if (read.dropped.length > 0) {
      const dropped = read.dropped.slice(0, MAX_LOGGED_KEYS);
      const text = 'Parts of a response cannot be read and are ignored.';
      this.settings.logger.debug({ route: route.name, dropped }, text);
    }
    return read.value as RouteResponse<R>;
  }

  /**
   * Calls a route and returns the unparsed response, for bodies that are read row by row and for headers. Retries and time
   * limit are defined by the route.
   */
  send<R extends Route>(route: R, input: Call<R>): Promise<PlatformResponse> {
    // Without `isStreamed` there are no streams.
    return this.request(this.#requestOf(route, input)) as Promise<PlatformResponse>;
  }

  /** As {@link send}; with `isStreamed` a stream of server-sent events is returned with its headers. */
  open<R extends Route>(route: R, input: Call<R>): Promise<PlatformResponse | StreamedResponse> {
    return this.request(this.#requestOf(route, input));
  }

  /**
   * Requests a page of the activity feed.
   * @throws CursorLostError when the platform does not know `sinceId`.
   */
  async getActivity(workspaceId: string, filters: ActivityRead): Promise<PlatformResponse> {
    const { sinceId, waitSecs = 0 } = filters;
    const query = {
      type: filters.type,
      include: 'peer_info',
      limit: filters.limit,
      source: filters.source,
      direction: filters.direction,
      since_id: sinceId,
      since_secs: filters.sinceSecs,
      before_ts: filters.beforeTs,
      before_id: filters.beforeId,
      peer_id: filters.peerId,
      conversation_id: filters.conversationId,
      order: filters.order,
      unacknowledged: filters.unacknowledged,
      view: filters.view,
      wait: waitSecs > 0 ? waitSecs : undefined,
    };
    const { instanceId, takeover, signal, onTooLarge, isRetried: isRepeatable } = filters;
    const params = { id: workspaceId };
    try {
      const input = { params, query, instanceId, takeover, signal, onTooLarge, isRepeatable };
      return await this.send(routes.listActivity, input);
    } catch (error) {
      const isLost =
        ApiError.isInstance(error) && error.status === 410 && !WorkspaceRemovedError.isInstance(error);
      if (sinceId === undefined || !isLost) throw error;
      const { status, method, path, platformCode, bodyExcerpt: body } = error;
      const hint = 'Read again without sinceId; messages seen before can come again.';
      const problem = `The platform no longer knows the cursor ${JSON.stringify(sinceId.slice(0, 80))}.`;
      const of = { status, method, path, platformCode, body, cursor: sinceId };
      throw new CursorLostError(problem, { ...of, hint, cause: error });
    }
  }

  async listActivity(workspaceId: string, filters: ActivityRead): Promise<ActivityPage> {
    return readActivityPage(await this.getActivity(workspaceId, filters), filters.limit);
  }

  /** @throws MoleculeError `not_supported` for a platform that has responded without this feature. */
  requireOffered(feature: Feature): void {
    if (this.capabilities.lacks(feature.word)) throw notSupported(feature);
  }

  /** Calls a route of a feature. @throws MoleculeError `not_supported` for a platform without it. */
  async whereOffered<T>(feature: Feature, work: () => Promise<T>): Promise<T> {
    this.requireOffered(feature);
    try {
      return await work();
    } catch (error) {
      const isRouteUnknown = ApiError.isInstance(error) && error.code === 'routing_problem';
      const isMissing = isRouteUnknown && !this.capabilities.words.has(feature.word);
      throw isMissing ? notSupported(feature, error) : error;
    }
  }

  /** A platform that has not responded to this client yet names its capabilities in any response. */
  async learnCapabilities(signal: AbortSignal): Promise<void> {
    if (this.capabilities.isKnown) return;
    await this.send(routes.health, { signal, lane: 'receiving' }).catch((error: unknown) => {
      if (!this.capabilities.isKnown) throw error;
    });
  }

  #requestOf(route: Route, input: AnyCall): PlatformRequest {
    const { instanceId, takeover, headers, query } = input;
    const { requestTimeoutMs: request, messageTimeoutMs: message } = this.settings;
    const wait = message + Number(query?.wait ?? 0) * 1_000;
    const limitsMs = { request, message, wait, call: CALL_TIMEOUT_MS };
    const isNamed = instanceId !== undefined && !this.capabilities.lacks('instances');
    const takes = takeover === true ? { [TAKEOVER_HEADER]: '1' } : {};
    // If only the response of a DELETE was lost, the second one returns 404. Where a key is needed, the client sends one.
    const isHarmless =
      route.repeat !== 'unsafe' && !(route.repeat === 'idempotent' && route.method === 'DELETE');
    return {
      ...input,
      ...requestLine(route, input),
      lane: input.lane ?? LANES[route.name] ?? 'calls',
      query: queryString(query),
      isRepeatable: input.isRepeatable ?? isHarmless,
      isKeyed: input.isRepeatable === undefined && route.repeat === 'keyed',
      timeoutMs: input.timeoutMs ?? limitsMs[route.timeLimit],
      headers: isNamed ? { ...headers, [INSTANCE_HEADER]: instanceId, ...takes } : headers,
    };
  }
}

function notSupported({ problem, hint }: Feature, cause?: unknown): MoleculeError {
  return new MoleculeError(problem, { code: 'not_supported', hint, cause });
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

/** Omits undefined entries; `''` if there are none. */
function queryString(entries: AnyCall['query'] = {}): string {
  let text = '';
  for (const key of Object.keys(entries)) {
    const value = entries[key];
    if (value === undefined) continue;
    const word = String(value);
    // Ids, numbers and words, which are most values, need no encoder: its garbage is large.
    const encoded = PLAIN.test(word) ? word : new URLSearchParams([['', word]]).toString().slice(1);
    text += `${text === '' ? '?' : '&'}${key}=${encoded}`;
  }
  return text;
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
