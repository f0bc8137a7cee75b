import {
  describeProblems,
  type ErrorBody,
  exceededJsonLimit,
  fieldProblems,
  isColumnText,
  JSON_LIMITS,
  type JsonObject,
  type KnownRoute,
  type Route,
  type RouteParams,
  type RouteQuery,
  type RouteRequest,
  type RouteResponse,
  type RouteStatus,
  routes,
  type Wire,
  type WireType,
} from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseRfc3339 } from '../time/clock.ts';
import { type CallerOf, type RemovedHolder, requireCredential, requireWorkspaceOfPath } from './callers.ts';
import { HttpError, invalidField } from './http-error.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Parses the body tolerantly; 400 naming the first invalid field. A missing body is treated as `{}`. */
export function parseBody<W extends Wire>(wire: W, body: unknown, message?: string): WireType<W> {
  return parseWith(wire, body === undefined ? {} : body, message ?? 'invalid request body');
}

/** The parameters of a query by name. */
export type QueryValues = Readonly<Record<string, string | undefined>>;

/** The query with one value for each parameter, the last one of a repeated parameter. */
function lastValues(query: unknown): QueryValues {
  const values = query as Record<string, string | string[] | undefined>;
  for (const name in values) {
    const value = values[name];
    if (Array.isArray(value)) values[name] = value.at(-1);
  }
  return values as QueryValues;
}

/** 400 naming the first parameter of a path or query that no column can hold. See docs/contract/limits.md#plain-text. */
function requireColumnTexts(values: QueryValues): void {
  for (const field in values) {
    const text = values[field];
    if (text === undefined || isColumnText(text)) continue;
    const message = `invalid ${field}: must not contain NUL or half of a surrogate pair`;
    throw new HttpError(400, 'invalid_request', message, { field });
  }
}

/** Parses tolerantly; 400 naming the first invalid field. */
function parseWith<W extends Wire>(wire: W, value: unknown, message: string): WireType<W> {
  const parsed = wire.tolerant.safeParse(value);
  if (parsed.success) return parsed.data as WireType<W>;
  const problems = fieldProblems(parsed.error.issues, value);
  const field = problems[0]?.path ?? '';
  throw new HttpError(400, 'invalid_request', `${message}: ${describeProblems(problems)}`, {
    ...(field === '' ? {} : { field }),
    issues: problems,
  });
}

/** The id in lower case; 400 when it is not a UUID. */
export function parseWorkspaceId(text: string | undefined, field: string): string {
  const id = (text ?? '').trim().toLowerCase();
  if (UUID.test(id)) return id;
  throw new HttpError(400, 'invalid_workspace_id', 'invalid workspace ID', {
    field,
    hint: 'Send the UUID that POST /workspaces returned, not a name.',
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses each body as JSON, whatever its Content-Type; an empty one means no body. Unknown routes have none. */
export function acceptOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    if (request.is404 || body.length === 0) return undefined;
    try {
      const text = decoder.decode(body);
      const limit = exceededJsonLimit(text);
      if (limit !== undefined) throw tooComplex(limit, MESSAGE_ROUTES.has(request.routeOptions.url));
      return JSON.parse(text);
    } catch (cause) {
      throw cause instanceof HttpError ? cause : invalidJson(request.headers['content-type'], cause);
    }
  });
}

function invalidJson(contentType: string | undefined, cause: unknown): HttpError {
  if (/^\s*(multipart\/|application\/x-www-form-urlencoded)/i.test(contentType ?? '')) {
    return new HttpError(415, 'unsupported_media_type', 'this route takes JSON and no form', { cause });
  }
  const hint = 'The body must be one JSON value in UTF-8.';
  return new HttpError(400, 'invalid_json', 'invalid JSON', { hint, cause });
}

const MESSAGE_ROUTES: ReadonlySet<string | undefined> = new Set([
  routes.sendMessage.path,
  routes.sendOwnMessage.path,
]);

function tooComplex(limit: 'nodes' | 'depth', isMessage: boolean): HttpError {
  const { nodes, depth } = JSON_LIMITS;
  const most = limit === 'nodes' ? `${nodes} JSON values` : `${depth} levels of nesting`;
  const code = isMessage ? 'invalid_message' : 'invalid_request';
  const text = `${isMessage ? 'invalid message' : 'invalid request'}: more than ${most}`;
  return new HttpError(400, code, text, {
    hint: `A body may have at most ${most}; send large data as one text or as a file.`,
  });
}

/** A whole number of a query; `fallback` where it is missing, no number, or out of range. */
export function wholeNumber(
  text: string | undefined,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const value = text === undefined || text === '' ? fallback : Number(text);
  return Number.isInteger(value) && value >= min && value <= max ? value : fallback;
}

/**
 * A time of a query as it is stored; undefined when missing, 400 when it is not an RFC 3339 time. Stored times have milliseconds, so a finer time
 * is rounded up, and no earlier row is missed.
 */
export function parseTime(text: string | undefined, field: string): string | undefined {
  if (text === undefined || text === '') return undefined;
  const ms = parseRfc3339(text);
  if (ms === undefined) throw invalidField(field, `${field} must be an RFC 3339 time`);
  return new Date(ms).toISOString();
}

/** Maximum wait of a feed read or of a request for the state of a message, in seconds. */
export const MAX_WAIT_SECONDS = 60;

/**
 * Seconds to hold a request, a whole number within the bounds; undefined when missing. Anything else is a 400 naming
 * the field and not a default, because a caller relies on the time that it requests.
 */
export function parseWaitSeconds(
  text: string | undefined,
  bounds: { readonly field: string; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,4}$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (seconds <= bounds.max) return seconds;
  throw new HttpError(400, 'invalid_request', `${bounds.field} must be whole seconds, 0 to ${bounds.max}`, {
    field: bounds.field,
  });
}

/** One request for the handler of its route: access enforced, everything parsed. */
interface Incoming<R extends KnownRoute, Query = RouteQuery<R>, Body = RouteRequest<R>> {
  /** Workspace ids in lower case, every other parameter unchanged. */
  readonly params: RouteParams<R>;
  readonly query: Query;
  readonly body: Body;
  readonly caller: CallerOf<R['access']>;
  readonly request: FastifyRequest;
  /** For headers, cookies and the connection; the handler returns the body. */
  readonly reply: FastifyReply;
}

/** A response with another status than the default one of its route. */
export class StatusResponse<Status extends number, Body> {
  readonly status: Status;
  readonly body: Body;

  constructor(status: Status, body: Body) {
    this.status = status;
    this.body = body;
  }
}

/** A response body of the default status that is JSON text already. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A response that its handler writes itself, instead of a body of the route. */
export const WRITTEN_BY_HANDLER = Symbol('written by the handler');

/** The status of a plain return value: 200 where the route has it, else its only one. */
type DefaultStatus<R extends KnownRoute> = 200 extends RouteStatus<R> ? 200 : RouteStatus<R>;

/** What a handler returns: the body of the default status, or another declared status with its body. */
type Result<R extends KnownRoute> =
  | JsonText
  | typeof WRITTEN_BY_HANDLER
  | RouteResponse<R, DefaultStatus<R>>
  | {
      [Status in Exclude<RouteStatus<R>, DefaultStatus<R>> & number]: StatusResponse<
        Status,
        RouteResponse<R, Status>
      >;
    }[Exclude<RouteStatus<R>, DefaultStatus<R>> & number];

/** Puts the plain body of an error response into the form for the client of the request. */
type ErrorBodyForm = (plain: ErrorBody, error: HttpError, request: FastifyRequest) => ErrorBody | JsonObject;

interface MountOptions<R extends KnownRoute, Query, Body> {
  /** Parses the query instead of the schema of the route; a repeated parameter has its last value. */
  readonly query?: (values: QueryValues) => Query;
  /** Parses the JSON body instead of the schema of the route. */
  readonly body?: (json: unknown) => Body;
  /** Prefix of the message of a 400 for an invalid body. */
  readonly bodyError?: string;
  /** The form of error responses; by default the plain one. */
  readonly errorBody?: ErrorBodyForm;
  /** The error for the old token of a removed workspace, instead of a 401. */
  readonly removedError?: (holder: RemovedHolder, params: RouteParams<R>) => HttpError | undefined;
}

type Handler<R extends KnownRoute, Query, Body> = (
  incoming: Incoming<R, Query, Body>,
) => Result<R> | Promise<Result<R>>;

/**
 * Serves a route of the table. Before the body is read, the access is enforced and the workspace ids of the path are
 * validated; then query and body are parsed, and the handler returns the response.
 */
export function mount<R extends KnownRoute>(
  app: FastifyInstance,
  route: R,
  handler: Handler<R, RouteQuery<R>, RouteRequest<R>>,
): void;
export function mount<R extends KnownRoute, Query = RouteQuery<R>, Body = RouteRequest<R>>(
  app: FastifyInstance,
  route: R,
  options: MountOptions<R, Query, Body>,
  handler: Handler<R, Query, Body>,
): void;
export function mount<R extends KnownRoute>(
  app: FastifyInstance,
  route: R,
  ...rest: [Handler<R, unknown, unknown>] | [MountOptions<R, unknown, unknown>, Handler<R, unknown, unknown>]
): void {
  const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest;
  const defaultStatus = 200 in route.responses ? 200 : Number(Object.keys(route.responses)[0]);
  const workspaceParams = [...route.path.matchAll(/:(id|workspaceId)\b/g)].map(([, name]) => String(name));
  const { query, request: bodyWire }: Route = route;
  const readQuery =
    options.query ?? (query && ((values: QueryValues) => parseWith(query, values, 'invalid query')));
  const hasWire = bodyWire !== undefined && !('media' in bodyWire);
  const readBody =
    options.body ?? (hasWire ? (json: unknown) => parseBody(bodyWire, json, options.bodyError) : undefined);

  app.mountedRoutes.add(route);
  app.route({
    method: route.method,
    url: route.path,
    ...(options.errorBody === undefined ? {} : { config: { errorBody: options.errorBody } }),
    preParsing: async (request) => {
      requireCredential(route.access, request);
      const params = request.params as Record<string, string>;
      for (const name of workspaceParams) params[name] = parseWorkspaceId(params[name], name);
      requireColumnTexts(params);
      const { identity } = request;
      const refusal =
        identity.kind === 'removed' ? options.removedError?.(identity, params as RouteParams<R>) : undefined;
      requireWorkspaceOfPath(route.access, identity, params.id, refusal);
    },
    handler: async (request, reply) => {
      const values = lastValues(request.query);
      requireColumnTexts(values);
      const result: unknown = await handler({
        params: request.params as RouteParams<R>,
        query: readQuery?.(values),
        body: readBody?.(request.body),
        caller: request.identity as CallerOf<R['access']>,
        request,
        reply,
      });
      if (result === WRITTEN_BY_HANDLER) return reply;
      if (result instanceof JsonText) {
        reply.code(defaultStatus).header('content-type', 'application/json; charset=utf-8');
        // As bytes, which a socket takes as they are.
        return Buffer.from(result.text);
      }
      const hasStatus = result instanceof StatusResponse;
      reply.code(hasStatus ? result.status : defaultStatus);
      return hasStatus ? result.body : result;
    },
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    errorBody?: ErrorBodyForm;
  }
  interface FastifyInstance {
    /** The routes of the table that are served. */
    mountedRoutes: Set<KnownRoute>;
  }
}
