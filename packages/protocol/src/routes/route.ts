import type { ErrorCode } from '../error-codes.ts';
import type { Wire } from '../wire.ts';

/**
 * Who may call a route.
 * `none`: nobody is asked. `claim`: a first register (decision 3). `caller`: any workspace with its own token,
 * or an operator. `workspace`: the workspace of the path, or an operator. `own`: the workspace's own token only.
 * `operator`: operator key, org key or session.
 */
export type RouteAuth = 'none' | 'claim' | 'caller' | 'workspace' | 'own' | 'operator';

/** A body that is not JSON, by its content type; `''` is an empty body. */
export interface RawBody {
  readonly media: string;
}

/** One route of the platform. Paths are written as fastify does; `responses` holds the statuses below 400. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly auth: RouteAuth;
  readonly query?: Wire;
  /** The JSON body; a route without one ignores what is sent. */
  readonly request?: Wire;
  readonly responses: { readonly [status: number]: Wire | RawBody };
  /** Every code the route can answer, the ones of all routes and of its `auth` included. */
  readonly errors: readonly ErrorCode[];
}

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

const BY_AUTH: { readonly [Auth in RouteAuth]: readonly ErrorCode[] } = {
  none: [],
  claim: [...CREDENTIALS, 'caller_mismatch', 'workspace_not_found', 'workspace_removed'],
  caller: [...CREDENTIALS, 'caller_mismatch', 'workspace_removed'],
  workspace: [
    ...CREDENTIALS,
    'caller_mismatch',
    'invalid_workspace_id',
    'workspace_not_found',
    'workspace_removed',
  ],
  own: [
    ...CREDENTIALS,
    'caller_mismatch',
    'invalid_workspace_id',
    'workspace_not_found',
    'workspace_removed',
  ],
  operator: CREDENTIALS,
};

/** Declares a route; adds the errors of all routes and of its `auth`. */
export function route<const R extends Omit<Route, 'errors'>>(
  declared: R,
  errors: readonly ErrorCode[] = [],
): R & Pick<Route, 'errors'> {
  return { ...declared, errors: [...new Set([...EVERYWHERE, ...BY_AUTH[declared.auth], ...errors])] };
}
