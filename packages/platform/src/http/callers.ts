import crypto, { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RouteAccess } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import type { PlatformSettings } from '../options/resolve-settings.ts';
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

interface AuthenticatorOptions {
  readonly operatorKey: string;
  readonly address: { readonly url: string };
  readonly settings: Pick<PlatformSettings, 'mode' | 'server'>;
  /** Finds the holder by the hex SHA-256 of a token and records that the token was used. */
  readonly tokens: { findToken(hash: string): Promise<TokenHolder | undefined> };
  /** True while the session of that hex SHA-256 lasts. */
  readonly sessions: { findSession(hash: string): Promise<boolean> };
}

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
    return !isOurs(origin.toLowerCase());
  }
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}

/** Name of the cookie that `POST /session` sets. */
export const SESSION_COOKIE = 'molecule_session';

const BEARER = 'Bearer ';

/** The value of the session cookie of a request, of the first one when there are several. */
export function sessionCookie({ cookie }: IncomingHttpHeaders): string | undefined {
  return cookie === undefined ? undefined : COOKIE.exec(cookie)?.[1];
}

const COOKIE = new RegExp(`(?:^|;)[ \\t]*${SESSION_COOKIE}[ \\t]*=[ \\t]*([^;\\s]*)`);

export interface Authenticator {
  /** Sets `identity` and `rateOwner` of a request. Throws only when the credential store cannot be read. */
  identify(request: FastifyRequest): Promise<void>;
  /** Constant-time comparison with the operator key. */
  isOperatorKey(candidate: string): boolean;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { address, sessions, settings, tokens } = options;
  const operatorHash = sha256(options.operatorKey);
  const corsOrigins = new Set(settings.server.corsOrigins.map((origin) => origin.toLowerCase()));

  const isFromDevOperator = ({ socket, raw }: FastifyRequest, headers: IncomingHttpHeaders) => {
    const { remoteAddress, localPort: port = 0 } = socket;
    const { httpVersion } = raw;
    return settings.mode === 'dev' && isDevOperator({ remoteAddress, httpVersion, headers, port });
  };

  const isOwnPage = ({ headers }: FastifyRequest) =>
    !isForeignPage(headers, (origin) => {
      const host = (headers.host ?? '').toLowerCase();
      if (origin === `http://${host}` || origin === `https://${host}`) return true;
      return corsOrigins.has(origin) || origin === new URL(address.url).origin;
    });

  const setOperator = (request: FastifyRequest, via: 'operator-key' | 'session', id: string) => {
    request.identity = { kind: 'operator', via };
    request.rateOwner = { kind: 'operator', id };
  };

  const identify: Authenticator['identify'] = async (request) => {
    const { headers } = request;
    const { authorization } = headers;
    if (authorization?.startsWith(BEARER)) {
      const token = authorization.slice(BEARER.length).trim();
      const hash = sha256Hex(token);
      const isOperator = timingSafeEqual(Buffer.from(hash, 'hex'), operatorHash);
      if (isOperator) return setOperator(request, 'operator-key', hash);
      const holder = token === '' ? undefined : await tokens.findToken(hash);
      if (holder !== undefined) {
        request.identity = holder;
        request.rateOwner = { kind: 'workspace', id: holder.workspaceId };
        return;
      }
    }
    const cookie = authorization === undefined ? sessionCookie(headers) : undefined;
    if (cookie !== undefined && isOwnPage(request)) {
      const hash = sha256Hex(cookie);
      if (await sessions.findSession(hash)) return setOperator(request, 'session', hash);
    }
    request.rateOwner = { kind: 'address', id: request.ip };
    const isDev = isFromDevOperator(request, { ...headers, authorization: undefined });
    if (authorization !== undefined) request.identity = { kind: 'unknown-credential', isOptional: isDev };
    else request.identity = isDev ? { kind: 'operator', via: 'dev' } : { kind: 'anonymous' };
  };
  return { identify, isOperatorKey: (candidate) => timingSafeEqual(sha256(candidate), operatorHash) };
}

/** Lower-case hex SHA-256, the only form in which a token or a session is stored. */
export function sha256Hex(text: string): string {
  return crypto.hash('sha256', text);
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

const CALLER_HEADERS = ['x-workspace-id', 'x-source-workspace-id'] as const;

/**
 * Refuses a request whose credential the access of its route does not accept. The token of a removed workspace is
 * checked by {@link requireWorkspaceOfPath}, because routes return different errors for it.
 *
 * @throws HttpError 401 without an accepted credential, 403 for caller headers that contradict it.
 */
export function requireCredential(
  access: RouteAccess,
  { identity, headers }: Pick<FastifyRequest, 'identity' | 'headers'>,
): void {
  if (access === 'anonymous') return;
  if (access !== 'operator') checkCallerHeaders(headers, identity);
  if (access === 'operator') requireOperator(identity);
  else if (access !== 'claim') requireCaller(identity);
}

/** Refuses the caller of a route whose path names a workspace that is not its own, and removed workspaces. */
export function requireWorkspaceOfPath(
  access: RouteAccess,
  identity: Identity,
  workspaceId: string | undefined,
  removedError?: HttpError,
): void {
  if (access === 'anonymous' || access === 'operator' || access === 'claim') return;
  if (identity.kind === 'removed') throw removedError ?? removedCredential(identity);
  const isOther = identity.kind === 'workspace' && identity.workspaceId !== workspaceId;
  if (access === 'own') requireWorkspace(identity, workspaceId);
  if (access === 'workspace' && isOther) {
    throw invalidCredentials('invalid workspace auth token', FOREIGN_TOKEN);
  }
}

const FOREIGN_TOKEN =
  'This token belongs to another workspace: correct the id of the request, or send a token of that workspace.';

/** For a route of the agent itself: 401 unless the caller is that workspace; without an id, unless it is one. */
export function requireWorkspace(caller: Identity, workspaceId: string | undefined): void {
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
export function requireOrg(headers: IncomingHttpHeaders, orgId: string): void {
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

function requireCaller(identity: Identity): void {
  if (identity.kind === 'anonymous') throw missingCredentials('missing workspace auth token');
  if (identity.kind !== 'unknown-credential') return;
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
function checkCallerHeaders(headers: IncomingHttpHeaders, identity: Identity): void {
  let expected = identity.kind === 'workspace' ? identity.workspaceId : undefined;
  for (const field of CALLER_HEADERS) {
    const value = headers[field];
    if (typeof value !== 'string') continue;
    const id = value.trim().toLowerCase();
    expected ??= id;
    if (id === expected) continue;
    if (identity.kind === 'workspace') {
      const hint = `Correct ${field}, or send a token of that workspace.`;
      throw new HttpError(403, 'caller_mismatch', 'this token belongs to another workspace', { field, hint });
    }
    throw new HttpError(403, 'caller_mismatch', 'the caller headers name different workspaces', {
      field,
      hint: `Send ${CALLER_HEADERS.join(' or ')}, or the same id in both.`,
    });
  }
}

function missingCredentials(message: string): HttpError {
  return new HttpError(401, 'missing_credentials', message, { hint: 'Send Authorization: Bearer <token>.' });
}

function invalidCredentials(message: string, hint: string): HttpError {
  return new HttpError(401, 'invalid_credentials', message, { hint });
}
