import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import {
  BODY_LIMITS,
  CAPABILITIES,
  CAPABILITIES_HEADER,
  type ErrorCode,
  findRoute,
  type KnownRoute,
  routes,
} from '@molecule-ai/protocol';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import type { PlatformContext } from '../context.ts';
import { errorFacts } from '../foreign-error.ts';
import { type Authenticator, requireOrg } from './callers.ts';
import { checkContract } from './contract-check.ts';
import { HttpError, toHttpError } from './http-error.ts';
import { acceptOnlyJson } from './mount.ts';
import { rateLimiter } from './rate-limits.ts';

/** Limits of each connection; times in milliseconds. See docs/contract/limits.md#time-limits. */
const CONNECTION_LIMITS = {
  bodyLimit: BODY_LIMITS.json,
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 15_000, connectionsCheckingInterval: 5_000, requireHostHeader: false },
} satisfies FastifyServerOptions & { http: object };

/** Responses with a status from 500 that are no failure of the platform, and how they are logged. */
const EXPECTED: Readonly<Partial<Record<ErrorCode, 'debug' | 'info'>>> = {
  workspace_unavailable: 'debug',
  shutting_down: 'debug',
  unsafe_url: 'info',
  agent_unreachable: 'info',
  agent_error: 'info',
  agent_answer_invalid: 'info',
  agent_answer_too_large: 'info',
  agent_timeout: 'info',
};

const PROBES: ReadonlySet<string | undefined> = new Set([routes.health.path, routes.ready.path]);

/**
 * The HTTP server without routes: JSON bodies, one error shape, identification of callers, limits. Order: CORS →
 * shutdown → organisation → identity → rate limit → `mount`: access → body → handler.
 */
export async function createApp(
  context: PlatformContext,
  authenticator: Authenticator,
): Promise<FastifyInstance> {
  const { settings, logger } = context;
  const { orgId } = settings.security;
  const app = Fastify({
    ...CONNECTION_LIMITS,
    logger: false,
    genReqId: () => randomUUID(),
    trustProxy: false,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_024 },
    frameworkErrors: (error, _request, reply) => void sendError(error, reply as unknown as FastifyReply),
    clientErrorHandler: refuseOnSocket,
  });
  app.decorateRequest('identity', null as never);
  app.decorateRequest('rateOwner', null as never);
  acceptAnyExpectation(app);
  acceptOnlyJson(app);
  checkContract(app, settings.server.contractCheck, logger);
  const mounted = new Set<KnownRoute>();
  app.decorate('mountedRoutes', mounted);
  await setResponseHeaders(app, settings.server.corsOrigins);
  const countRequest = rateLimiter(context);
  app.addHook('onRequest', async (request, reply) => {
    requireWellFormed(request);
    // Health and readiness are for load balancers: without an organisation, and also during the shutdown.
    request.identity = { kind: 'anonymous' };
    if (PROBES.has(request.routeOptions.url)) return;
    if (context.shutdown.aborted) {
      throw new HttpError(503, 'shutting_down', 'the platform is shutting down — retry shortly', {
        headers: { connection: 'close', 'retry-after': '1' },
      });
    }
    if (orgId !== undefined) requireOrg(request.headers, orgId);
    await authenticator.identify(request);
    countRequest(request, reply);
  });
  app.addHook('onSend', (_request, reply, _payload, next) => {
    if (context.shutdown.aborted) reply.header('connection', 'close');
    next();
  });
  app.addHook('onResponse', (request, reply, next) => {
    const { method, url: route } = request.routeOptions;
    const durationMs = Math.round(reply.elapsedTime);
    const fields = { requestId: request.id, method: String(method ?? request.method), route, durationMs };
    logger.debug({ ...fields, status: reply.statusCode }, 'Request completed.');
    next();
  });

  app.setErrorHandler(async (error, request, reply) => {
    const httpError = toHttpError(error, context.database);
    if (httpError.status === 413) await discardBody(request.raw);
    // A request for what this platform does not offer is the caller's mistake, not a failure.
    if (httpError.status >= 500 && httpError.status !== 501) {
      const fields = { requestId: request.id, code: httpError.code, route: request.routeOptions.url };
      const level = EXPECTED[httpError.code];
      const { stack, message } = errorFacts(httpError.cause ?? httpError);
      if (level === undefined) logger.error({ ...fields, reason: stack ?? message }, 'Request failed.');
      else logger[level](fields, 'Request refused.');
    }
    return sendError(httpError, reply);
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.replace(/\/*(\?.*)?$/s, '');
    const fitting = [...mounted].filter((route) => findRoute(route.method, path) === route);
    const methods = fitting.map((route) => route.method);
    const hint =
      methods.length === 0
        ? 'Check the platform URL and the path.'
        : `This path has ${methods.join(', ')}, not ${request.method}.`;
    const headers = methods.length === 0 ? {} : { allow: methods.join(', ') };
    return sendError(new HttpError(404, 'not_found', 'not found', { hint, headers }), reply);
  });
  return app;
}

function sendError(error: unknown, reply: FastifyReply): FastifyReply {
  const httpError = toHttpError(error);
  const { request } = reply;
  const plain = httpError.toBody();
  const body = httpError.status < 500 ? plain : { ...plain, request_id: request.id };
  const ownForm = request.routeOptions?.config?.errorBody;
  return reply
    .code(httpError.status)
    .headers({ ...httpError.headers })
    .send(ownForm === undefined ? body : ownForm(body, httpError, request));
}

/** Responses to bytes that are not a request, by the error code of Node; all others are a 400. */
const SOCKET_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
/** `type/subtype`, with anything after it. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

/** Responds to what is not HTTP, is too large for it, or did not arrive in time. */
function refuseOnSocket(error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const body = JSON.stringify({ error: 'invalid request', code: 'invalid_request' });
  const status = SOCKET_STATUS[code] ?? '400 Bad Request';
  const head = [`HTTP/1.1 ${status}`, 'Content-Type: application/json', 'Connection: close'];
  socket.end(`${[...head, `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`);
}

/** Passes requests on that Node would refuse itself with an empty body, so that {@link requireWellFormed} does. */
function acceptAnyExpectation({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

/**
 * Refuses requests that HTTP forbids or that ask for what nobody here can do.
 * @throws HttpError 400 without a `Host`, 417 for an `Expect` other than `100-continue`.
 */
function requireWellFormed({ headers, raw }: FastifyRequest): void {
  if (headers.host === undefined && raw.httpVersion !== '1.0') {
    throw new HttpError(400, 'invalid_request', 'the Host header is missing', {
      field: 'host',
      headers: { connection: 'close' },
    });
  }
  const { expect } = headers;
  if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue') {
    throw new HttpError(417, 'invalid_request', 'expectation failed', {
      field: 'expect',
      hint: 'Leave the header out; only 100-continue is known.',
      headers: { connection: 'close' },
    });
  }
  const type = headers['content-type'];
  // The type of a body does not matter, so one that cannot be read does not either.
  if (type !== undefined && !MEDIA_TYPE.test(type)) delete headers['content-type'];
}

/** A larger body is not read, because proxies refuse to pass it on: the response comes at once. */
const DISCARDED_BYTES = 2 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 5_000;

/**
 * Reads the rest of a refused body and drops it. A connection that is closed with unread data is reset, and then its client, or a proxy
 * between them, often gets no response.
 */
async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || !(Number(request.headers['content-length']) <= DISCARDED_BYTES)) return;
  request.resume();
  const signal = AbortSignal.timeout(DISCARD_TIMEOUT_MS);
  // An error means that the client is gone or too slow.
  await finished(request, { writable: false, signal }).catch(() => {});
}

/** Headers that a page of a listed origin may send, and those that it may read. */
const ALLOWED_HEADERS =
  'Origin, Content-Type, Authorization, X-Workspace-ID, X-Source-Workspace-Id, X-Target-Workspace-ID, X-Molecule-Org-Id, X-Timeout';
const READABLE_HEADERS = 'Retry-After, X-Wait-Applied, X-Next-Cursor, X-Has-More, X-Molecule-Capabilities';

/** On every response, also those that no browser reads. */
const EVERYWHERE = Object.freeze({
  'content-security-policy': "default-src 'self';frame-ancestors 'none';base-uri 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
  [CAPABILITIES_HEADER]: CAPABILITIES.join(','),
});

/** Security headers on every response, CORS for the listed origins only. No request is refused for its `Origin`. */
async function setResponseHeaders(app: FastifyInstance, corsOrigins: readonly string[]): Promise<void> {
  app.addHook('onRequest', (request, reply, next) => {
    reply.headers(EVERYWHERE);
    reply.header('x-request-id', request.id);
    next();
  });
  if (corsOrigins.length === 0) return;
  await app.register(import('@fastify/cors'), {
    origin: [...corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: READABLE_HEADERS,
    credentials: true,
    strictPreflight: false,
  });
}
