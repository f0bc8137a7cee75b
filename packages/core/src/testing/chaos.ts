import type {
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import {
  ActiveRule,
  type ChaosRule,
  type FaultName,
  isRandom,
  matcherOf,
  type RequestFilter,
} from './chaos-rules.ts';
import { Faults } from './faults.ts';
import { Relay } from './relays.ts';
import { ShownExchange } from './shown-exchange.ts';

/** The latest ones are kept. */
const MAX_ENTRIES = 100_000;
const MAX_SEED = 1_000_000;

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
  readonly #faults: Faults;
  #active: readonly ActiveRule[] = [];
  #isSeedKnown: boolean;
  /** What sends the request that waits for the next one of its rule. */
  readonly #waiting = new Map<ActiveRule, () => void>();

  constructor(real: RequestDispatcher, { rules = [], seed, clock = systemClock }: ChaosOptions) {
    this.#real = real;
    this.#clock = clock;
    this.#faults = new Faults(real, clock);
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
      if (!active.fits(method, path)) continue;
      const next = this.#waiting.get(active);
      if (next !== undefined) {
        this.#faults.send(request, new Relay(new ShownExchange(client, next)));
        return true;
      }
      if (this.#isFaulty(active, request, client)) return true;
    }
    return this.#real.dispatch(request, client);
  }

  #isFaulty(active: ActiveRule, request: DispatchedRequest, client: DispatchHandler): boolean {
    const { rule } = active;
    if (rule.fault === 'duplicate' && !isRepeatable(request)) return false;
    this.#showSeed(rule);
    const random = active.draw();
    if (random === undefined) return false;
    const path = request.path.split('?', 1)[0] ?? '';
    this.log.push({ at: this.#clock.now(), fault: rule.fault, method: request.method, path });
    if (this.log.length > MAX_ENTRIES) this.log.shift();
    const shown = new ShownExchange(client);
    if (rule.fault === 'reorder') {
      const onSent = () => void this.#waiting.delete(active);
      this.#waiting.set(active, this.#faults.keep(rule, request, shown, onSent));
    } else this.#faults.apply(rule, request, shown, random);
    return true;
  }

  /** Once, and only if something depends on it. */
  #showSeed(rule: ChaosRule): void {
    if (this.#isSeedKnown || !isRandom(rule)) return;
    this.#isSeedKnown = true;
    process.stderr.write(`chaos: to repeat this run, set seed: ${this.seed}\n`);
  }
}

function isRepeatable({ body }: { readonly body?: unknown }): boolean {
  return body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}
