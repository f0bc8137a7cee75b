import { isError } from '../errors/is-error.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type {
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import { given, type OptionsOf, optionsSchema, parseOptions } from '../settings/options.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
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

/** What happens to a request. Times are of the clock that `chaos` was given. */
type Fault =
  /**
   * The connection breaks. `lost: 'connection'`: it is refused, and nothing was sent. `'request'`: it was sent and never arrived.
   * `'response'`: the platform has processed it, and its response is lost. Of the last two the client sees the same error.
   * @default 'response'
   */
  | { readonly fault: 'drop'; readonly lost?: 'connection' | 'request' | 'response' }
  /**
   * The request, or the response, takes so many milliseconds longer; of a range, any. A request that its client gives up
   * meanwhile arrives all the same. `Infinity`: it never arrives.
   * `of` @default 'request'
   */
  | {
      readonly fault: 'delay';
      readonly ms: number | readonly [least: number, most: number];
      readonly of?: 'request' | 'response';
    }
  /** The platform gets the request twice; the client gets the first response. `afterMs` @default 0 */
  | { readonly fault: 'duplicate'; readonly afterMs?: number }
  /** The next request that the rule matches is processed before this one, if it comes in time. `withinMs` @default 1_000 */
  | { readonly fault: 'reorder'; readonly withinMs?: number }
  /**
   * Responds with this status. `body` is sent as JSON. @default an error as the platform would write it
   * `isProcessed`: the platform gets the request all the same. @default false
   */
  | {
      readonly fault: 'status';
      readonly status: number;
      readonly retryAfterSeconds?: number;
      readonly body?: unknown;
      readonly isProcessed?: boolean;
    }
  /** Responds with a page for people, as the login of a gateway does. `status` @default 200 */
  | { readonly fault: 'html'; readonly status?: number; readonly isProcessed?: boolean }
  /**
   * Of the response, the first `bytes` arrive. `ending: 'reset'`: then the connection breaks; `'end'`: it looks complete.
   * `bytes` @default any number; `ending` @default 'reset'
   */
  | { readonly fault: 'truncate'; readonly bytes?: number; readonly ending?: 'reset' | 'end' }
  /** The clock of the platform is wrong by so many milliseconds: the header `Date` and `server_time` in the response. */
  | { readonly fault: 'skew'; readonly ms: number };

type FaultName = Fault['fault'];

/** Which requests a fault is for. */
interface RequestFilter {
  /** @default any */
  readonly method?: string | undefined;
  /**
   * The whole path without its query. `*` stands for any text, `:name` for one segment: `/workspaces/:id/a2a`. @default any
   */
  readonly path?: string | RegExp | undefined;
}

export type ChaosRule = Fault &
  RequestFilter & {
    /** From 0 to 1. @default 1 */
    readonly probability?: number | undefined;
    /** How often it happens at most. @default always */
    readonly times?: number | undefined;
    /** How many of the requests that it matches are spared at first. @default 0 */
    readonly skip?: number | undefined;
  };

class ChaosShape {
  /** The first one that fits a request, and whose probability says so, happens to it. @default none */
  rules = given<readonly ChaosRule[]>();
  /** Decides what is left to chance: the same requests have the same faults. @default any; it is written to stderr */
  seed = given<number>();
  /** For faults that take time. @default the system clock */
  clock = given<Clock>();
}

export interface ChaosOptions extends OptionsOf<ChaosShape> {}

/** One fault that happened. */
interface ChaosEntry {
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly fault: FaultName;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** Which faults are counted. */
interface HitFilter extends RequestFilter {
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
 * const dispatcher = chaos(platform.connection.dispatcher, {
 *   clock: platform.clock,
 *   rules: [{ fault: 'drop', path: '/registry/*', probability: 0.3 }],
 * });
 * const client = new RemoteAgentClient({ ...platform, ...workspace, dispatcher });
 */
export function chaos(dispatcher: RequestDispatcher, options: ChaosOptions = {}): Chaos {
  parseOptions('chaos', CHAOS, options);
  return new FaultyDispatcher(dispatcher, options);
}

const CHAOS = optionsSchema(new ChaosShape());

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

const FAULTS: ReadonlySet<string> = new Set<FaultName>([
  'drop',
  'delay',
  'duplicate',
  'reorder',
  'status',
  'html',
  'truncate',
  'skew',
]);

/** A rule that counts what it did. Its random numbers depend on the seed, its place and that count only. */
class ActiveRule {
  readonly rule: ChaosRule;
  readonly #seed: number;
  /** Whether it is for this request. */
  readonly fits: (method: string, path: string) => boolean;
  #seen = 0;
  #done = 0;

  /** @throws ConfigurationError */
  constructor(rule: ChaosRule, place: number, seed: number) {
    const problem = problemOf(rule);
    if (problem !== undefined) {
      throw new ConfigurationError(`A rule of chaos ${problem}: ${JSON.stringify(rule)}.`, {
        hint: `For example { fault: 'drop', path: '/registry/*', probability: 0.2 }. Faults: ${[...FAULTS].join(', ')}.`,
      });
    }
    this.rule = rule;
    this.#seed = mix(seed ^ mix(place + 1));
    this.fits = matcherOf(rule);
  }

  /** Whether the fault happens to a request that fits: then its random numbers, otherwise undefined. */
  draw(): RandomSource | undefined {
    const { probability = 1, times = Number.POSITIVE_INFINITY, skip = 0 } = this.rule;
    this.#seen += 1;
    if (this.#seen <= skip || this.#done >= times) return undefined;
    const random = seededRandom(mix(this.#seed ^ mix(this.#seen)));
    if (random() >= probability) return undefined;
    this.#done += 1;
    return random;
  }
}

/** Whether a request is one of those. */
function matcherOf({ method, path }: RequestFilter): (method: string, path: string) => boolean {
  const pattern = typeof path === 'string' ? patternOf(path) : path;
  return (ofRequest, pathOfRequest) =>
    (method === undefined || method.toUpperCase() === ofRequest.toUpperCase()) &&
    (pattern === undefined || pathOfRequest.search(pattern) !== -1);
}

function patternOf(path: string): RegExp {
  const source = path
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/:\w+/g, '[^/]+')
    .replaceAll('*', '.*');
  return new RegExp(`^${source}$`);
}

/** Whether a fault depends on chance. */
function isRandom({ probability = 1, ...rule }: ChaosRule): boolean {
  if (probability < 1) return true;
  if (rule.fault === 'delay') return typeof rule.ms !== 'number';
  return rule.fault === 'truncate' && rule.bytes === undefined;
}

function problemOf(rule: ChaosRule): string | undefined {
  if (!FAULTS.has(rule.fault)) return 'has no fault of this kit';
  const { probability = 1, times = 0, skip = 0 } = rule;
  if (!(probability >= 0 && probability <= 1)) return 'has a probability that is not from 0 to 1';
  if (!(times >= 0 && skip >= 0)) return 'has a negative number';
  if (rule.fault === 'status' && !(Number.isInteger(rule.status) && rule.status >= 200 && rule.status <= 599))
    return 'has a status that is not from 200 to 599';
  if (rule.fault === 'skew' && !Number.isFinite(rule.ms)) return 'has a skew that is not a number';
  if (rule.fault !== 'delay') return undefined;
  const [least, most] = typeof rule.ms === 'number' ? [rule.ms, rule.ms] : (rule.ms ?? []);
  return least !== undefined && most !== undefined && least >= 0 && most >= least
    ? undefined
    : 'has a delay that is not a number of milliseconds or a range';
}

/** Numbers from 0 to 1, the same for the same seed. */
function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 2 ** 32;
  };
}

/** Numbers that are close give numbers that are not. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
