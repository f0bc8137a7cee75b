import type { ErrorCode } from '../error-codes.ts';
import type { Wire, WireType } from '../wire.ts';

/**
 * Who may call a route.
 * - `anonymous`: everybody, no credential is read.
 * - `claim`: a first register of a new workspace, later only the workspace itself or an operator.
 * - `own`: only the workspace's own token.
 * - `workspace`: the workspace that the path names, or an operator.
 * - `caller`: any workspace with its own token, or an operator.
 * - `operator`: operator key, org key or session.
 * - `peer`: the platform or another workspace, by a peer token; a route of an agent's own server.
 */
export type RouteAccess = 'anonymous' | 'claim' | 'own' | 'workspace' | 'caller' | 'operator' | 'peer';

/**
 * The effect of sending the same request twice.
 * - `safe`: the request changes nothing.
 * - `idempotent`: the second one changes nothing further; its response may differ, such as 404 after a delete.
 * - `keyed`: harmless when the request carries a message id or an idempotency key.
 * - `unsafe`: it may take effect twice, or undo what happened in between.
 */
export type RouteRepeat = 'safe' | 'idempotent' | 'keyed' | 'unsafe';

/**
 * How long a client waits for the response.
 * - `request`: 10 s; the platform responds at once.
 * - `message`: 15 s; the request carries or returns message text.
 * - `wait`: 15 s and the seconds of the query parameter `wait`, for which the platform may hold the request.
 * - `call`: 30 s in all; another agent runs in between.
 */
export type RouteTimeLimit = 'request' | 'message' | 'wait' | 'call';

/** A body that is not JSON, by its content type; `''` is an empty body. */
export interface RawBody {
  readonly media: string;
}

/** One route. Paths are written as `/workspaces/:id/notify`. */
export interface Route {
  /** Its key in `routes`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** One sentence. */
  readonly summary: string;
  readonly access: RouteAccess;
  readonly query?: Wire;
  /** The body; a route without one ignores what is sent. */
  readonly request?: Wire | RawBody;
  /** The bodies by status, below 400; every other status has an `ErrorBody`. */
  readonly responses: { readonly [status: number]: Wire | RawBody };
  /** Every error code that the route can return, those of its access included. */
  readonly errors: readonly ErrorCode[];
  readonly repeat: RouteRepeat;
  readonly timeLimit: RouteTimeLimit;
  /** Whether the response is a stream of server-sent events; `on-request` when the request asks for one. */
  readonly streams: boolean | 'on-request';
}

/** The parameters of a path: `PathParams<'/workspaces/:id/notify'>` is `{ readonly id: string }`. */
export type PathParams<Path extends string> = { readonly [Name in ParamNames<Path>]: string };

type ParamNames<Path extends string> = Path extends `${string}/:${infer Name}/${infer Rest}`
  ? Name | ParamNames<`/${Rest}`>
  : Path extends `${string}/:${infer Name}`
    ? Name
    : never;

/** The path parameters of a route, as text. */
export type RouteParams<R extends Route> = PathParams<R['path']>;

/** The query of a route; `undefined` when it has none. */
export type RouteQuery<R extends Route> = R extends { readonly query: infer W extends Wire }
  ? WireType<W>
  : undefined;

/** The body of a request; `undefined` when the route has none. */
export type RouteRequest<R extends Route> = R extends { readonly request: infer B extends Wire | RawBody }
  ? BodyOf<B>
  : undefined;

/** The statuses of success that a route declares. */
export type RouteStatus<R extends Route> = Extract<
  keyof R['responses'],
  200 | 201 | 202 | 203 | 204 | 205 | 206
>;

/** The body of a response, by default the union over the statuses of success. */
export type RouteResponse<R extends Route, Status extends keyof R['responses'] = RouteStatus<R>> = BodyOf<
  R['responses'][Status]
>;

type BodyOf<B> = B extends Wire
  ? WireType<B>
  : B extends { readonly media: '' }
    ? undefined
    : Uint8Array | AsyncIterable<Uint8Array>;

const EVERYWHERE = [
  'internal_error',
  'contract_violation',
  'platform_unavailable',
  'shutting_down',
  'rate_limited',
  'org_mismatch',
  'invalid_request',
  'invalid_json',
  'body_too_large',
  'unsupported_media_type',
  'not_supported',
] as const satisfies readonly ErrorCode[];

const CREDENTIALS = ['missing_credentials', 'invalid_credentials', 'forbidden'] as const;
const ONE_WORKSPACE = [
  ...CREDENTIALS,
  'caller_mismatch',
  'invalid_workspace_id',
  'workspace_not_found',
  'workspace_removed',
] as const;

/** The error codes that every route with this access can return. */
export const ACCESS_ERRORS: { readonly [Access in RouteAccess]: readonly ErrorCode[] } = {
  anonymous: EVERYWHERE,
  claim: [...EVERYWHERE, ...CREDENTIALS, 'caller_mismatch', 'workspace_not_found', 'workspace_removed'],
  own: [...EVERYWHERE, ...ONE_WORKSPACE],
  workspace: [...EVERYWHERE, ...ONE_WORKSPACE],
  caller: [...EVERYWHERE, ...CREDENTIALS, 'caller_mismatch', 'workspace_removed'],
  operator: [...EVERYWHERE, ...CREDENTIALS],
  peer: [...EVERYWHERE, ...CREDENTIALS, 'not_accepting'],
};

/** A route as it is declared; `errors` are its own, in addition to those of its access. */
type Declaration = Omit<Route, 'name' | 'errors' | 'repeat' | 'timeLimit' | 'streams'> & {
  readonly errors?: readonly ErrorCode[];
  /** @default 'request' */
  readonly timeLimit?: RouteTimeLimit;
  /** @default false */
  readonly streams?: Route['streams'];
} & (
    | { readonly method: 'GET'; readonly repeat?: 'safe' }
    | { readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; readonly repeat: RouteRepeat }
  );

type Declared<Name, D extends Declaration> = Omit<D, 'errors' | 'repeat' | 'timeLimit' | 'streams'> &
  Pick<Route, 'errors' | 'repeat' | 'timeLimit' | 'streams'> & { readonly name: Name };

/** Completes declared routes: names, defaults, and the errors of their access. */
export function defineRoutes<const Table extends { readonly [name: string]: Declaration }>(
  table: Table,
): { readonly [Name in keyof Table]: Declared<Name, Table[Name]> } {
  const entries = Object.entries(table).map(([name, declaration]) => [name, complete(name, declaration)]);
  return Object.fromEntries(entries);
}

function complete(name: string, declaration: Declaration): Route {
  const { errors = [], repeat = 'safe', timeLimit = 'request', streams = false } = declaration;
  const all = [...new Set([...ACCESS_ERRORS[declaration.access], ...errors])];
  return { ...declaration, name, errors: all, repeat, timeLimit, streams };
}
