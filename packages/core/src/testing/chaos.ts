import { isError } from '../errors/is-error.ts';
import type {
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import {
  ActiveRule,
  type ChaosRule,
  type Fault,
  type FaultName,
  isRandom,
  matcherOf,
  type RequestFilter,
} from './chaos-rules.ts';
import { connectionLost, cut, late, ShownExchange, skewed, unread } from './shown-exchange.ts';

/** The latest ones are kept. */
const MAX_ENTRIES = 100_000;
const MAX_SEED = 1_000_000;
const DEFAULT_WITHIN_MS = 1_000;
const LOGIN_PAGE =
  '<!doctype html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>';
/** Of the errors of a platform, by their status. */
const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_credentials',
  404: 'workspace_not_found',
  410: 'workspace_removed',
  429: 'rate_limited',
  500: 'internal_error',
  503: 'platform_unavailable',
};

export interface ChaosOptions {
  /** The first one that fits a request, and whose probability says so, happens to it. @default none */
  readonly rules?: readonly ChaosRule[] | undefined;
  /** Decides what is left to chance: the same requests have the same faults. @default any; it is written to stderr */
  readonly seed?: number | undefined;
  /** For faults that take time. @default the system clock */
  readonly clock?: Clock | undefined;
}

/** One fault that happened. */
export interface ChaosEntry {
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly fault: FaultName;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** Which faults are counted. */
export interface HitFilter extends RequestFilter {
  /** @default any */
  readonly fault?: FaultName | undefined;
}

/** A dispatcher whose requests have faults. */
export interface Chaos extends RequestDispatcher {
  readonly seed: number;
  /** May be replaced at any time; what they count begins again. Requests that are under way keep their fault. */
  rules: readonly ChaosRule[];
  /** The faults so far, the latest 100 000. */
  readonly log: readonly ChaosEntry[];
  /** How many faults of the log fit. @param filter @default all */
  hits(filter?: HitFilter): number;
}

/**
 * Wraps a dispatcher, such as that of a test platform or an `Agent` of undici, so that requests fail as they do on networks.
 * @throws ConfigurationError for a rule that is not one, also when `rules` are replaced.
 *
 * @example
 * const dispatcher = chaos(platform.dispatcher, {
 *   clock: platform.clock,
 *   rules: [{ fault: 'drop', path: '/registry/*', probability: 0.3 }],
 * });
 * const client = new RemoteAgentClient({ ...platform, ...workspace, dispatcher });
 */
export function chaos(dispatcher: RequestDispatcher, options: ChaosOptions = {}): Chaos {
  checkOptionNames('chaos', options, CHAOS_OPTIONS);
  return new FaultyDispatcher(dispatcher, options);
}

const CHAOS_OPTIONS = knownOptions<ChaosOptions>({ rules: true, seed: true, clock: true });

class FaultyDispatcher implements Chaos {
  readonly seed: number;
  readonly log: ChaosEntry[] = [];
  readonly #real: RequestDispatcher;
  readonly #clock: Clock;
  #active: readonly ActiveRule[] = [];
  #isSeedKnown: boolean;
  /** What sends the request that waits for the next one of its rule. */
  readonly #waiting = new Map<ActiveRule, () => void>();

  constructor(real: RequestDispatcher, { rules = [], seed, clock = systemClock }: ChaosOptions) {
    this.#real = real;
    this.#clock = clock;
    this.#isSeedKnown = seed !== undefined;
    this.seed = seed ?? Math.floor(Math.random() * MAX_SEED);
    this.rules = rules;
  }

  get rules(): readonly ChaosRule[] {
    return this.#active.map(({ rule }) => rule);
  }

  set rules(rules: readonly ChaosRule[]) {
    this.#active = rules.map((rule, place) => new ActiveRule(rule, place, this.seed));
  }

  hits({ fault, ...filter }: HitFilter = {}): number {
    const fits = matcherOf(filter);
    return this.log.filter(
      (entry) => (fault === undefined || entry.fault === fault) && fits(entry.method, entry.path),
    ).length;
  }

  dispatch(request: DispatchedRequest, client: DispatchHandler): boolean {
    const { method } = request;
    const path = request.path.split('?', 1)[0] ?? '';
    for (const active of this.#active) {
      const { rule } = active;
      if (!active.fits(method, path)) continue;
      const next = this.#waiting.get(active);
      if (next !== undefined) {
        this.#send(request, new ShownExchange(client, next));
        return true;
      }
      if (rule.fault === 'duplicate' && !isRepeatable(request)) continue;
      this.#showSeed(rule);
      const random = active.draw();
      if (random === undefined) continue;
      this.log.push({ at: this.#clock.now(), fault: rule.fault, method, path });
      if (this.log.length > MAX_ENTRIES) this.log.shift();
      if (rule.fault === 'reorder') this.#keep(active, rule, request, client);
      else this.#apply(rule, request, client, random);
      return true;
    }
    return this.#real.dispatch(request, client);
  }

  /** Once, and only if something depends on it. */
  #showSeed(rule: ChaosRule): void {
    if (this.#isSeedKnown || !isRandom(rule)) return;
    this.#isSeedKnown = true;
    process.stderr.write(`chaos: to repeat this run, set seed: ${this.seed}\n`);
  }

  #send(request: DispatchedRequest, handler: DispatchHandler): void {
    try {
      this.#real.dispatch(request, handler);
    } catch (error) {
      handler.onResponseError(undefined, isError(error) ? error : new Error(String(error)));
    }
  }

  #apply(
    fault: Exclude<Fault, { fault: 'reorder' }>,
    request: DispatchedRequest,
    client: DispatchHandler,
    random: RandomSource,
  ): void {
    const send = (handler: DispatchHandler) => this.#send(request, handler);
    const shown = new ShownExchange(client);
    switch (fault.fault) {
      case 'drop': {
        const lose = () => shown.fail(connectionLost());
        if (fault.lost === 'connection') queueMicrotask(() => shown.fail(connectionRefused()));
        else if (fault.lost === 'request') instead(shown, lose);
        else send(unread(lose, shown));
        break;
      }
      case 'delay': {
        const ms = drawMs(fault.ms, random);
        if (fault.of === 'response') {
          send(late(shown, this.#clock, ms));
          break;
        }
        shown.start();
        this.#after(ms, () => send(shown));
        break;
      }
      case 'duplicate':
        send(shown);
        if (fault.afterMs === undefined) send(unread());
        else this.#after(fault.afterMs, () => send(unread()));
        break;
      case 'truncate':
        send(cut(shown, fault, random));
        break;
      case 'skew':
        send(skewed(shown, fault.ms));
        break;
      case 'status':
      case 'html': {
        const respond = () => this.#respond(fault, shown);
        if (fault.isProcessed === true) send(unread(respond, shown));
        else instead(shown, respond);
      }
    }
  }

  /** Keeps a request on its way until the time is over or the next request of its rule has ended. */
  #keep(
    active: ActiveRule,
    { withinMs = DEFAULT_WITHIN_MS }: Extract<Fault, { fault: 'reorder' }>,
    request: DispatchedRequest,
    client: DispatchHandler,
  ): void {
    const shown = new ShownExchange(client);
    const release = () => {
      if (this.#waiting.get(active) !== release) return;
      this.#waiting.delete(active);
      this.#send(request, shown);
    };
    shown.start();
    this.#after(withinMs, release);
    this.#waiting.set(active, release);
  }

  #respond(fault: Extract<Fault, { fault: 'status' | 'html' }>, shown: ShownExchange): void {
    const isPage = fault.fault === 'html';
    const { status = 200 } = fault;
    const body = Buffer.from(isPage ? LOGIN_PAGE : JSON.stringify(fault.body ?? errorOf(status)));
    const wait = isPage ? undefined : fault.retryAfterSeconds;
    shown.onResponseStart(undefined, status, {
      date: new Date(this.#clock.now()).toUTCString(),
      'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json',
      'content-length': String(body.length),
      ...(wait === undefined ? {} : { 'retry-after': String(wait) }),
    });
    shown.onResponseData(undefined, body);
    shown.onResponseEnd(undefined, {});
  }

  #after(ms: number, work: () => void): void {
    if (ms !== Number.POSITIVE_INFINITY) void this.#clock.sleep(ms).then(work);
  }
}

function isRepeatable({ body }: { readonly body?: unknown }): boolean {
  return body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

/** The request was written, and something else than the platform responds. */
function instead(shown: ShownExchange, respond: () => void): void {
  queueMicrotask(() => {
    shown.start();
    respond();
  });
}

function drawMs(ms: number | readonly [number, number], random: RandomSource): number {
  if (typeof ms === 'number') return ms;
  const [least, most] = ms;
  return Math.round(least + random() * (most - least));
}

function errorOf(status: number): object {
  const code = CODES[status];
  return { error: `chaos: status ${status}`, ...(code === undefined ? {} : { code }) };
}

function connectionRefused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED (chaos)'), { code: 'ECONNREFUSED' });
}
