import { checkExchange } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformLogger } from '../logging/logger.ts';
import type { ContractCheck } from '../options/platform-settings.ts';
import { ApiError } from './api-error.ts';

/** Rate limit and shutdown come before it is known that a path does not exist; the contract lists neither there. */
const ANSWERED_BEFORE_ROUTING: ReadonlySet<number> = new Set([429, 503]);

/**
 * Holds each exchange against the wire contract before it leaves. A breach becomes a 500 `contract_violation` that
 * names it, so that no test passes over it; `answers` checks what we say, `all` also what we accepted.
 */
export function checkContract(app: FastifyInstance, mode: ContractCheck, logger: PlatformLogger): void {
  if (mode === 'off') return;
  app.addHook('onSend', async (request, reply, payload) => {
    if (payload !== null && payload !== undefined && typeof payload !== 'string') return payload;
    if (request.is404 && ANSWERED_BEFORE_ROUTING.has(reply.statusCode)) return payload;
    const problems = checkExchange({
      method: request.method,
      path: request.url.replace(/\/+(?=$|\?)/, ''),
      query: request.query as Record<string, string | string[] | undefined>,
      requestBody: request.body,
      status: reply.statusCode,
      responseBody: parseAnswer(payload),
      responseHeaders: reply.getHeaders(),
      mode,
    });
    if (problems.length === 0) return payload;
    logger.error({ problems: problems.join('; '), requestId: request.id }, 'An exchange broke the contract.');
    const violation = new ApiError(500, 'contract_violation', problems.join('; '));
    reply.code(violation.status).header('content-type', 'application/json; charset=utf-8');
    reply.removeHeader('content-length');
    return JSON.stringify(violation.toBody());
  });
}

function parseAnswer(payload: unknown): unknown {
  if (typeof payload !== 'string' || payload === '') return undefined;
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}
