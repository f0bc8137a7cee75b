import type {
  ErrorBody,
  JsonObject,
  KnownRoute,
  Route,
  RouteParams,
  RouteQuery,
  RouteRequest,
  RouteResponse,
  RouteStatus,
} from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type CallerOf, requireCredential, requireWorkspaceOfPath } from './access.ts';
import type { HttpError } from './http-error.ts';
import {
  lastValues,
  parseBody,
  parseQuery,
  parseWorkspaceId,
  type QueryValues,
  requireColumnTexts,
} from './parse.ts';
import type { RemovedHolder } from './principal.ts';

/** One request for the handler of its route: access enforced, everything parsed. */
export interface Incoming<R extends KnownRoute, Query = RouteQuery<R>, Body = RouteRequest<R>> {
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
export type Result<R extends KnownRoute> =
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
export type ErrorBodyForm = (
  plain: ErrorBody,
  error: HttpError,
  request: FastifyRequest,
) => ErrorBody | JsonObject;

export interface MountOptions<R extends KnownRoute, Query, Body> {
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
  const readQuery = options.query ?? queryReader(route);
  const readBody = options.body ?? bodyReader(route, options.bodyError);

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
      const removedError = (holder: RemovedHolder) =>
        options.removedError?.(holder, params as RouteParams<R>);
      requireWorkspaceOfPath(route.access, request.identity, params.id, removedError);
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

function queryReader({ query }: Route): ((values: QueryValues) => unknown) | undefined {
  return query && ((values) => parseQuery(query, values));
}

function bodyReader({ request }: Route, message?: string): ((json: unknown) => unknown) | undefined {
  return request && !('media' in request) ? (json) => parseBody(request, json, message) : undefined;
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
