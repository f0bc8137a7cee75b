import { ConfigurationError } from '../errors/molecule-error.ts';
import type { RandomSource } from '../time/backoff.ts';

/** What happens to a request. Times are of the clock that `chaos` was given. */
export type Fault =
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

export type FaultName = Fault['fault'];

/** Which requests a fault is for. */
export interface RequestFilter {
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
export class ActiveRule {
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
export function matcherOf({ method, path }: RequestFilter): (method: string, path: string) => boolean {
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
export function isRandom({ probability = 1, ...rule }: ChaosRule): boolean {
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
