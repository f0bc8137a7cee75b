import { routes } from '@molecule-ai/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { LatestMap } from '../latest-map.ts';
import type { Clock } from '../time/clock.ts';
import type { RateOwner } from './callers.ts';
import { HttpError } from './http-error.ts';

const WINDOW_MS = 60_000;
/** Number of callers that a bucket stores; the one that was quiet longest is removed first. */
const MAX_CALLERS = 20_000;

/** Counts the requests of each caller in windows of a minute, which begin with the first one. */
export class RateBucket {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limit: number;
  readonly #callers = new LatestMap<string, { count: number; startedAt: number }>(MAX_CALLERS);

  constructor(clock: Pick<Clock, 'monotonic'>, perMinute: number) {
    this.#clock = clock;
    this.#limit = perMinute;
  }

  /**
   * Counts one request of a caller unless it exceeds the limit, and returns how many more it may send, and the milliseconds until it may
   * send the whole limit again. `reserved` requests of the limit are for others.
   */
  take(caller: string, reserved = 0) {
    const now = this.#clock.monotonic();
    let window = this.#callers.get(caller);
    if (window === undefined || window.startedAt + WINDOW_MS <= now) window = { count: 0, startedAt: now };
    this.#callers.set(caller, window);
    const isAllowed = window.count < this.#limit - reserved;
    if (isAllowed) window.count += 1;
    return {
      isAllowed,
      limit: this.#limit,
      remaining: Math.max(0, this.#limit - reserved - window.count),
      resetMs: window.startedAt + WINDOW_MS - now,
    };
  }
}

/** The bucket that counts a request, as `scope` of a 429 names it. */
type RateScope = RateOwner['kind'] | 'presence' | 'progress';

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
 * Counts requests a minute, and throws a 429 for one too many: those of a workspace together, whichever of its tokens they have; those of an operator for
 * each credential; all others by address. Heartbeats and acknowledgements have a bucket of their own, so that an agent
 * which sends too much is still alive, and so has progress, of which an agent sends much. See docs/contract/limits.md#rates.
 */
export function rateLimiter({
  clock,
  settings: { limits },
}: Pick<PlatformContext, 'clock' | 'settings'>): (request: FastifyRequest, reply: FastifyReply) => void {
  const { rateLimit, presenceRate, progressRate } = limits;
  if (rateLimit === 'off') return () => undefined;
  const buckets: Readonly<Record<RateScope, RateBucket>> = {
    workspace: new RateBucket(clock, rateLimit),
    operator: new RateBucket(clock, rateLimit),
    address: new RateBucket(clock, rateLimit),
    presence: new RateBucket(clock, presenceRate),
    progress: new RateBucket(clock, progressRate),
  };
  return ({ routeOptions, rateOwner }, reply) => {
    const own = rateOwner.kind === 'workspace' ? OWN_BUCKETS.get(routeOptions.url ?? '') : undefined;
    const scope = own?.scope ?? rateOwner.kind;
    const reserved = own?.leavesRoom ? Math.ceil(presenceRate / HEARTBEAT_PART) : 0;
    const { isAllowed, limit, remaining, resetMs } = buckets[scope].take(rateOwner.id, reserved);
    const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
    reply.header('x-ratelimit-limit', limit);
    reply.header('x-ratelimit-remaining', remaining);
    reply.header('x-ratelimit-reset', seconds);
    if (isAllowed) return;
    const hint = `${limit} a minute. ${COUNTED[scope]}`;
    throw new HttpError(429, 'rate_limited', 'rate limit exceeded', { retry_after: seconds, scope, hint });
  };
}

const COUNTED: Readonly<Record<RateScope, string>> = {
  workspace: 'The requests of a workspace are counted together, whichever of its tokens they have.',
  presence: 'Heartbeats and acknowledgements are counted together; acknowledge many messages in one request.',
  progress: 'Report longer texts, less often.',
  operator: 'The requests of an operator are counted for each credential.',
  address: 'Requests without a valid credential are counted by address.',
};
