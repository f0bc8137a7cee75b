import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import { type ErrorCode, findRoute, type KnownRoute, routes } from '@molecule-ai/protocol';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { errorFacts } from '../foreign-error.ts';
import { requireOrg } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import { checkContract } from './contract-check.ts';
import { HttpError, toHttpError } from './http-error.ts';
import { CONNECTION_LIMITS, limitRate } from './limits.ts';
import {
  acceptAnyExpectation,
  discardBody,
  refuseOnSocket,
  requireWellFormed,
} from './malformed-requests.ts';
import { acceptOnlyJson } from './parse.ts';
import { setResponseHeaders } from './response-headers.ts';

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
  agent_busy: 'info',
};

/**
 * The HTTP server without routes: JSON bodies, one error shape, identification of callers, limits. Order: CORS →
 * shutdown → organisation → identity → rate limit → `mount`: access → body → handler.
 */
export async function createApp(
  context: PlatformContext,
  authenticator: Authenticator,
): Promise<FastifyInstance> {
  const { settings, logger } = context;
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
  checkContract(app, settings.contractCheck, logger);
  await app.register(cookie);
  const mounted = new Set<KnownRoute>();
  app.decorate('mountedRoutes', mounted);

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    request.rateOwner = { kind: 'address', id: request.ip };
    request.identity = { kind: 'anonymous' };
  });
  await setResponseHeaders(app, settings.corsOrigins);
  app.addHook('onRequest', async (request) => {
    requireWellFormed(request);
    if (isProbe(request)) return;
    if (context.shutdown.aborted) throw shuttingDown();
    requireOrg(request, settings.orgId);
    Object.assign(request, await authenticator.identify(request));
  });
  limitRate(app, context);
  app.addHook('onSend', async (_request, reply) => {
    if (context.shutdown.aborted) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, url: route } = request.routeOptions;
    const durationMs = Math.round(reply.elapsedTime);
    const fields = { requestId: request.id, method: String(method ?? request.method), route, durationMs };
    logger.debug({ ...fields, status: reply.statusCode }, 'Request completed.');
  });

  app.setErrorHandler(async (error, request, reply) => {
    const httpError = toHttpError(error, context.database);
    if (httpError.status === 413) await discardBody(request.raw);
    // A request for what this platform does not offer is the caller's mistake, not a failure.
    if (httpError.status >= 500 && httpError.status !== 501) {
      const fields = { requestId: request.id, code: httpError.code, route: request.routeOptions.url };
      const level = EXPECTED[httpError.code];
      if (level === undefined)
        logger.error({ ...fields, reason: describeCause(httpError) }, 'Request failed.');
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
    return sendError(new HttpError(404, 'not_found', 'not found', { extras: { hint }, headers }), reply);
  });
  app.addHook('onReady', async () => {
    const absent = Object.values<KnownRoute>(routes).filter((route) => !mounted.has(route));
    const names = absent.map(({ name }) => name).join(', ');
    logger.debug({ routes: names }, 'Routes of the contract that this platform does not serve');
  });
  return app;
}

/** Health and readiness are for load balancers: without an organisation, and also during the shutdown. */
function isProbe({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.url === routes.health.path || routeOptions.url === routes.ready.path;
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

function shuttingDown(): HttpError {
  return new HttpError(503, 'shutting_down', 'the platform is shutting down — retry shortly', {
    headers: { connection: 'close', 'retry-after': '1' },
  });
}

function describeCause(error: HttpError): string {
  const { stack, message } = errorFacts(error.cause ?? error);
  return stack ?? message;
}
