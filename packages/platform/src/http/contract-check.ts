import { checkExchange } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformLogger } from '../logging/logger.ts';
import type { PlatformSettings } from '../options/resolve-settings.ts';
import { HttpError } from './http-error.ts';

/** Headers, rate limit and shutdown are checked before the route; for an unknown path the contract lists none of them. */
const STATUSES_BEFORE_ROUTING: ReadonlySet<number> = new Set([400, 417, 429, 503]);

/**
 * Validates each exchange before the response is sent. A violation becomes a 500 `contract_violation` that names it,
 * so that no test can overlook it. `responses` validates responses only, `all` also accepted requests.
 */
export function checkContract(
  app: FastifyInstance,
  mode: PlatformSettings['server']['contractCheck'],
  logger: PlatformLogger,
): void {
  if (mode === 'off') return;
  app.addHook('onSend', async (request, reply, payload) => {
    const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
    if (payload !== null && payload !== undefined && !isText) return payload;
    if (request.is404 && STATUSES_BEFORE_ROUTING.has(reply.statusCode)) return payload;
    const problems = checkExchange({
      method: request.method,
      path: request.url.replace(/\/+(?=$|\?)/, ''),
      query: request.query as Record<string, string | string[] | undefined>,
      requestBody: request.body,
      status: reply.statusCode,
      responseBody: parseResponse(payload),
      responseHeaders: reply.getHeaders(),
      mode,
    });
    if (problems.length === 0) return payload;
    logger.error({ problems: problems.join('; '), requestId: request.id }, 'Contract violation');
    const violation = new HttpError(500, 'contract_violation', problems.join('; '));
    reply.code(violation.status).header('content-type', 'application/json; charset=utf-8');
    reply.removeHeader('content-length');
    return JSON.stringify(violation.toBody());
  });
}

function parseResponse(payload: unknown): unknown {
  const text = Buffer.isBuffer(payload) ? payload.toString('utf8') : payload;
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
