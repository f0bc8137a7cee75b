import { BODY_LIMITS, routes } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { HttpError } from './http-error.ts';
import type { RateOwner } from './principal.ts';
import { RateBucket } from './rate-bucket.ts';

/** Limits of each connection; times in milliseconds. See docs/contract/limits.md#time-limits. */
export const CONNECTION_LIMITS = {
  bodyLimit: BODY_LIMITS.json,
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 15_000, connectionsCheckingInterval: 5_000, requireHostHeader: false },
} satisfies FastifyServerOptions & { http: object };

/** The bucket that counts a request, as `scope` of a 429 names it. */
type RateScope = RateOwner['kind'] | 'presence' | 'progress';

/** A caller that exhausts the limit of its address must not make the platform look dead to a load balancer. */
const UNLIMITED: ReadonlySet<string | undefined> = new Set([routes.health.path, routes.ready.path]);

/** The part of the presence bucket that only heartbeats use: one of so many. */
const HEARTBEAT_PART = 10;

/** Routes whose requests are counted in a bucket of their own when a workspace sends them. */
const OWN_BUCKETS: ReadonlyMap<string, { readonly scope: RateScope; readonly leavesRoom: boolean }> = new Map(
  [
    [routes.heartbeat.path, { scope: 'presence', leavesRoom: false }],
    [routes.acknowledgeActivity.path, { scope: 'presence', leavesRoom: true }],
    [routes.reportProgress.path, { scope: 'progress', leavesRoom: false }],
  ],
);

/**
 * Counts requests a minute: those of a workspace together, whichever of its tokens they have; those of an operator for
 * each credential; all others by address. Heartbeats and acknowledgements have a bucket of their own, so that an agent
 * which sends too much is still alive, and so has progress, of which an agent sends much. See docs/contract/limits.md#rates.
 */
export function limitRate(
  app: FastifyInstance,
  { clock, settings: { rateLimit, presenceRate, progressRate } }: Pick<PlatformContext, 'clock' | 'settings'>,
): void {
  if (rateLimit === null) return;
  const buckets: Readonly<Record<RateScope, RateBucket>> = {
    workspace: new RateBucket(clock, rateLimit),
    operator: new RateBucket(clock, rateLimit),
    address: new RateBucket(clock, rateLimit),
    presence: new RateBucket(clock, presenceRate),
    progress: new RateBucket(clock, progressRate),
  };
  app.addHook('onRequest', async (request, reply) => {
    if (UNLIMITED.has(request.routeOptions.url)) return;
    const { scope, reserved } = bucketOf(request, presenceRate);
    const { isAllowed, limit, remaining, resetMs } = buckets[scope].take(request.rateOwner.id, reserved);
    const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
    reply.headers({
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': seconds,
    });
    if (!isAllowed) throw rateLimited(scope, limit, seconds);
  });
}

function bucketOf(
  { routeOptions, rateOwner }: FastifyRequest,
  presenceRate: number,
): { readonly scope: RateScope; readonly reserved: number } {
  const own = rateOwner.kind === 'workspace' ? OWN_BUCKETS.get(routeOptions.url ?? '') : undefined;
  if (own === undefined) return { scope: rateOwner.kind, reserved: 0 };
  return { scope: own.scope, reserved: own.leavesRoom ? Math.ceil(presenceRate / HEARTBEAT_PART) : 0 };
}

const COUNTED: Readonly<Record<RateScope, string>> = {
  workspace: 'The requests of a workspace are counted together, whichever of its tokens they have.',
  presence: 'Heartbeats and acknowledgements are counted together; acknowledge many messages in one request.',
  progress: 'Report longer texts, less often.',
  operator: 'The requests of an operator are counted for each credential.',
  address: 'Requests without a valid credential are counted by address.',
};

function rateLimited(scope: RateScope, limit: number, seconds: number): HttpError {
  return new HttpError(429, 'rate_limited', 'rate limit exceeded', {
    extras: {
      retry_after: seconds,
      scope,
      hint: `${limit} a minute. ${COUNTED[scope]}`,
    },
    headers: { 'retry-after': String(seconds) },
  });
}
