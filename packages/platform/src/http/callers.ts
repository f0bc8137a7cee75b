import crypto, { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RouteAccess } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { HttpError } from './http-error.ts';

/**
 * The caller of a request, identified once by the credential. Headers such as `X-Workspace-ID` are only compared
 * with it.
 */
type Principal =
  | { readonly kind: 'operator'; readonly via: 'operator-key' | 'session' | 'dev' }
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  /** No credential; accepted for a first claim and by the anonymous routes. */
  | { readonly kind: 'anonymous' };

/** The principals that a route with a caller accepts. */
export type Caller = Exclude<Principal, { kind: 'anonymous' }>;

/** The token of a removed workspace; its holder gets an error that says so. */
export interface RemovedHolder {
  readonly kind: 'removed';
  readonly workspaceId: string;
  readonly removedAt: string | null;
}

/** A credential that does not exist here; never treated better than none, in dev mode too. */
interface UnknownCredential {
  readonly kind: 'unknown-credential';
  /** Whether the same request without any credential would be one of the operator, as in dev mode on this machine. */
  readonly isOptional: boolean;
}

/** The result of checking the credential of a request. */
export type Identity = Principal | RemovedHolder | UnknownCredential;

/** The holder of a known workspace token: a live one, or one of a removed workspace. */
export type TokenHolder = Extract<Principal, { kind: 'workspace' }> | RemovedHolder;

/** Whose requests the rate limiter counts together. */
export interface RateOwner {
  readonly kind: 'workspace' | 'operator' | 'address';
  readonly id: string;
}

/** Finds credentials; the `tokens` and `session` modules implement it. */
interface CredentialSource {
  /** Finds the holder by the hex SHA-256 of a token and records that the token was used. */
  findToken(tokenHash: string): Promise<TokenHolder | undefined>;
  /** True while the session of that hex SHA-256 lasts. */
  findSession(sessionHash: string): Promise<boolean>;
}

/** The `caller` column of messages of people and operators. */
export const CANVAS_CALLER = 'canvas';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read; a handler gets it as `caller`, after the access of its route was enforced. */
    identity: Identity;
    /** Whose requests the rate limiter counts together. */
    rateOwner: RateOwner;
  }
}

/** The parts of a request that decide: the remote address, the version of HTTP, the headers and the local port. */
interface DevRequest {
  readonly remoteAddress: string | undefined;
  /** As Node has it: `1.1`. */
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly port: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];
/** What proxies and tunnels add: the standard ones, load balancers, CDNs, cloudflared, ngrok, Tailscale. */
const TUNNEL_HEADER = new RegExp(
  `^(?:${[
    'forwarded$',
    'via$',
    'cdn-loop$',
    'x-forwarded(?:-|$)',
    'x-(?:real|client|cluster-client|remote|true-client|envoy-external)-?(?:ip|addr|address)$',
    'true-client-ip$',
    'x-original-',
    'x-envoy-',
    'x-(?:azure|appengine|amzn|amz-cf|arr)-',
    'fastly-',
    'fly-',
    'cf-',
    '(?:x-)?ngrok-',
    'tailscale-',
  ].join('|')})`,
);

/**
 * Whether a request without `Authorization` counts as the operator in dev mode: only from this machine, addressed
 * to this machine, not through a proxy or tunnel, not for a workspace, and not from another site's web page. Current
 * clients send HTTP/1.1; HTTP/1.0 is what nginx sends to a server by default, up to 1.29.6.
 */
export function isDevOperator({ remoteAddress, httpVersion, headers, port }: DevRequest): boolean {
  if (headers.authorization !== undefined) return false;
  if (httpVersion !== '1.1') return false;
  if (!isLoopbackAddress(remoteAddress)) return false;
  const ownHosts = localHosts(port);
  if (!ownHosts.includes((headers.host ?? '').toLowerCase())) return false;
  const names = Object.keys(headers);
  if (names.some((name) => TUNNEL_HEADER.test(name))) return false;
  if (names.includes('x-workspace-id') || names.includes('x-source-workspace-id')) return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return false;
  return !isForeignPage(headers, (origin) => ownHosts.some((host) => origin === `http://${host}`));
}

/** The `Host` values of this machine; the port may be missing only when it is 80. */
function localHosts(port: number): string[] {
  const withPort = LOCAL_NAMES.map((name) => `${name}:${port}`);
  return port === 80 ? [...withPort, ...LOCAL_NAMES] : withPort;
}

/** True for 127.0.0.0/8, `::1` and IPv4-mapped loopback addresses. */
function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(address);
}

/**
 * True when a browser page of another site made the request. Only credentials that a browser adds automatically
 * (the session cookie, the dev operator) need this check; a bearer does not. Browsers send `null` for a page without
 * an origin, so it counts as foreign; free text such as `my-agent/1.0` does not.
 */
function isForeignPage(headers: IncomingHttpHeaders, isOurs: (origin: string) => boolean): boolean {
  const origin = headers.origin;
  if (origin !== undefined && (origin === 'null' || /^https?:\/\//i.test(origin))) {
    if (!isOurs(origin.toLowerCase())) return true;
    return false;
  }
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}

/** Name of the cookie that `POST /session` sets. */
export const SESSION_COOKIE = 'molecule_session';

const BEARER = 'Bearer ';

/** Who calls, and whose requests the rate limiter counts this one with. */
interface Identified {
  readonly identity: Identity;
  readonly rateOwner: RateOwner;
}

/** Identifies the caller of a request. Throws only when the credential store cannot be read. */
export interface Authenticator {
  identify(request: FastifyRequest): Promise<Identified>;
  /** Constant-time comparison with the operator key. */
  isOperatorKey(candidate: string): boolean;
}

export function createAuthenticator(
  context: PlatformContext,
  operatorKey: string,
  source: CredentialSource,
): Authenticator {
  const { settings } = context;
  const operatorHash = sha256(operatorKey);
  const isOperatorHash = (candidate: Buffer) => timingSafeEqual(candidate, operatorHash);
  const corsOrigins = new Set(settings.corsOrigins.map((origin) => origin.toLowerCase()));

  const isFromDevOperator = (request: FastifyRequest, headers: IncomingHttpHeaders) => {
    const { remoteAddress, localPort: port = 0 } = request.socket;
    const { httpVersion } = request.raw;
    return settings.mode === 'dev' && isDevOperator({ remoteAddress, httpVersion, headers, port });
  };

  const unknownCredential = (request: FastifyRequest): Identified => {
    const isOptional = isFromDevOperator(request, { ...request.headers, authorization: undefined });
    return { identity: { kind: 'unknown-credential', isOptional }, rateOwner: addressOf(request) };
  };

  const identifyBearer = async (token: string, request: FastifyRequest): Promise<Identified> => {
    const digest = sha256(token);
    const hash = digest.toString('hex');
    if (isOperatorHash(digest)) return operatorBy('operator-key', hash);
    const holder = token === '' ? undefined : await source.findToken(hash);
    if (holder === undefined) return unknownCredential(request);
    return { identity: holder, rateOwner: { kind: 'workspace', id: holder.workspaceId } };
  };

  const isOwnPage = (request: FastifyRequest) =>
    !isForeignPage(request.headers, (origin) => {
      const host = (request.headers.host ?? '').toLowerCase();
      if (origin === `http://${host}` || origin === `https://${host}`) return true;
      return corsOrigins.has(origin) || origin === new URL(context.publicUrl()).origin;
    });

  const identify: Authenticator['identify'] = async (request) => {
    const authorization = request.headers.authorization;
    if (authorization !== undefined) {
      if (authorization.startsWith(BEARER)) {
        return identifyBearer(authorization.slice(BEARER.length).trim(), request);
      }
      return unknownCredential(request);
    }
    const cookie = request.cookies[SESSION_COOKIE];
    if (cookie !== undefined && isOwnPage(request)) {
      const hash = sha256Hex(cookie);
      if (await source.findSession(hash)) return operatorBy('session', hash);
    }
    if (isFromDevOperator(request, request.headers)) {
      return { identity: { kind: 'operator', via: 'dev' }, rateOwner: addressOf(request) };
    }
    return { identity: { kind: 'anonymous' }, rateOwner: addressOf(request) };
  };
  return { identify, isOperatorKey: (candidate) => isOperatorHash(sha256(candidate)) };
}

function operatorBy(via: 'operator-key' | 'session', credentialHash: string): Identified {
  return { identity: { kind: 'operator', via }, rateOwner: { kind: 'operator', id: credentialHash } };
}

function addressOf({ ip }: FastifyRequest): RateOwner {
  return { kind: 'address', id: ip };
}

/** Lower-case hex SHA-256, the only form in which a token or a session is stored. */
export function sha256Hex(text: string): string {
  return sha256(text).toString('hex');
}

function sha256(text: string): Buffer {
  return crypto.hash('sha256', text, 'buffer');
}

/** The principals that a route with this access accepts. */
export type CallerOf<Access extends RouteAccess> = Access extends 'anonymous' | 'claim'
  ? Identity
  : Access extends 'own'
    ? Extract<Principal, { kind: 'workspace' }>
    : Access extends 'operator'
      ? Extract<Principal, { kind: 'operator' }>
      : Caller;

/** The parts of a request that decide access. */
type AccessRequest = Pick<FastifyRequest, 'identity' | 'headers'>;

const CALLER_HEADERS = ['x-workspace-id', 'x-source-workspace-id'] as const;

/**
 * Refuses a request whose credential the access of its route does not accept. The token of a removed workspace is
 * checked by {@link requireWorkspaceOfPath}, because routes return different errors for it.
 *
 * @throws HttpError 401 without an accepted credential, 403 for caller headers that contradict it.
 */
export function requireCredential(access: RouteAccess, { identity, headers }: AccessRequest): void {
  if (access === 'anonymous') return;
  if (access === 'operator') {
    requireOperator(identity);
    return;
  }
  checkCallerHeaders(headers, identity);
  if (access !== 'claim' && identity.kind !== 'removed') requireCaller(identity);
}

/** Refuses the caller of a route whose path names a workspace that is not its own, and removed workspaces. */
export function requireWorkspaceOfPath(
  access: RouteAccess,
  identity: Identity,
  workspaceId: string | undefined,
  removedError?: (holder: RemovedHolder) => HttpError | undefined,
): void {
  if (access === 'anonymous' || access === 'operator' || access === 'claim') return;
  if (identity.kind === 'removed') throw removedError?.(identity) ?? removedCredential(identity);
  const caller = requireCaller(identity);
  if (access === 'own') requireWorkspace(caller, workspaceId);
  if (access === 'workspace' && caller.kind === 'workspace' && caller.workspaceId !== workspaceId) {
    throw invalidCredentials('invalid workspace auth token', FOREIGN_TOKEN);
  }
}

const FOREIGN_TOKEN =
  'This token belongs to another workspace: correct the id of the request, or send a token of that workspace.';

/** For a route of the agent itself: 401 unless the caller is that workspace; without an id, unless it is one. */
export function requireWorkspace(caller: Caller, workspaceId: string | undefined): void {
  if (caller.kind === 'workspace' && caller.workspaceId === (workspaceId ?? caller.workspaceId)) return;
  const hint =
    caller.kind === 'workspace'
      ? FOREIGN_TOKEN
      : 'Only the token of the workspace itself is accepted here, and no operator key.';
  throw invalidCredentials('invalid workspace auth token', hint);
}

/**
 * Refuses requests of other organisations when `MOLECULE_ORG_ID` is set: with 404, which reveals nothing about this
 * one.
 */
export function requireOrg({ headers }: Pick<FastifyRequest, 'headers'>, orgId: string | null): void {
  if (orgId === null) return;
  const named = headers['x-molecule-org-id'];
  if (typeof named === 'string' && named.trim().toLowerCase() === orgId.toLowerCase()) return;
  throw new HttpError(404, 'org_mismatch', 'not found', {
    hint: 'Send X-Molecule-Org-Id with the id of this organisation.',
  });
}

/** 401 for the token of a removed workspace; clients stop on it. */
export function removedCredential(holder: RemovedHolder): HttpError {
  return new HttpError(401, 'workspace_removed', 'workspace removed', {
    deleted: true,
    workspace_id: holder.workspaceId,
    removed_at: holder.removedAt,
    hint: 'The workspace was removed; create a new one and register with its token.',
  });
}

function requireOperator(identity: Identity): void {
  if (identity.kind === 'operator') return;
  if (identity.kind === 'anonymous') throw missingCredentials('admin auth required');
  const hint = 'This route needs the operator key or a session.';
  throw invalidCredentials('invalid admin auth token', `${hint}${optionalCredential(identity)}`);
}

function requireCaller(identity: Exclude<Identity, RemovedHolder>): Caller {
  if (identity.kind === 'operator' || identity.kind === 'workspace') return identity;
  if (identity.kind === 'anonymous') throw missingCredentials('missing workspace auth token');
  const hint =
    'The token is neither that of a workspace nor the operator key: it is mistyped or was revoked.';
  throw invalidCredentials('invalid workspace auth token', `${hint}${optionalCredential(identity)}`);
}

function optionalCredential(identity: Identity): string {
  const isOptional = identity.kind === 'unknown-credential' && identity.isOptional;
  return isOptional ? ' In dev mode on this machine, an operator may omit Authorization.' : '';
}

/**
 * The caller headers must name the workspace of the token. An operator has no workspace, so the headers only have to
 * agree with each other.
 */
function checkCallerHeaders(headers: AccessRequest['headers'], identity: Identity): void {
  const named = CALLER_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [{ name, id: value.trim().toLowerCase() }] : [];
  });
  const expected = identity.kind === 'workspace' ? identity.workspaceId : named[0]?.id;
  const wrong = named.find(({ id }) => id !== expected);
  if (wrong === undefined) return;
  if (identity.kind !== 'workspace') {
    throw new HttpError(403, 'caller_mismatch', 'the caller headers name different workspaces', {
      field: wrong.name,
      hint: `Send ${CALLER_HEADERS.join(' or ')}, or the same id in both.`,
    });
  }
  const hint = `Correct ${wrong.name}, or send a token of that workspace.`;
  throw new HttpError(403, 'caller_mismatch', 'this token belongs to another workspace', {
    field: wrong.name,
    hint,
  });
}

function missingCredentials(message: string): HttpError {
  return new HttpError(401, 'missing_credentials', message, { hint: 'Send Authorization: Bearer <token>.' });
}

function invalidCredentials(message: string, hint: string): HttpError {
  return new HttpError(401, 'invalid_credentials', message, { hint });
}
