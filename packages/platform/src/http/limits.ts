import { BODY_LIMITS } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import { HttpError } from './http-error.ts';

const RATE_WINDOW_MS = 60_000;
/** Number of callers that the limiter stores; the least recently used one is removed first. */
const RATE_LIMIT_ENTRIES = 20_000;

/** Limits of each connection; times in milliseconds. See docs/contract/limits.md#time-limits. */
export const CONNECTION_LIMITS = {
  bodyLimit: BODY_LIMITS.json,
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 15_000, connectionsCheckingInterval: 5_000, requireHostHeader: false },
} satisfies FastifyServerOptions & { http: object };

/** Counts requests by known credential, else by address, so that callers behind one proxy do not share a limit. */
export async function limitRate(app: FastifyInstance, perMinute: number | null): Promise<void> {
  if (perMinute === null) return;
  await app.register(import('@fastify/rate-limit'), {
    max: perMinute,
    timeWindow: RATE_WINDOW_MS,
    cache: RATE_LIMIT_ENTRIES,
    keyGenerator: (request) => request.limitKey,
    errorResponseBuilder: (_request, { ttl }) => {
      const seconds = Math.max(1, Math.ceil(ttl / 1_000));
      return new HttpError(429, 'rate_limited', 'rate limit exceeded', {
        extras: { retry_after: seconds },
        headers: { 'retry-after': String(seconds) },
      });
    },
  });
}
