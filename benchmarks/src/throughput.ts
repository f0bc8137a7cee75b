import { median, quantile } from './statistics.ts';

const WARM_UP_MS = 1_000;

export interface Contender {
  readonly name: string;
  /** One complete operation; rejects if its result is wrong. */
  readonly run: () => Promise<void>;
}

export interface ThroughputOptions {
  readonly inFlight: number;
  /** Duration of each contender's run per round. */
  readonly roundMs: number;
  readonly rounds: number;
}

export interface Throughput {
  readonly name: string;
  /** Operations per second, median of the rounds. */
  readonly perSecond: number;
  /** The same of each round. */
  readonly rates: readonly number[];
  /** 99th percentile of the duration of an operation, in milliseconds, median of the rounds. */
  readonly p99Ms: number;
}

/**
 * Runs the contenders alternately in many short rounds, in reversed order every other round, so that all of a round run under nearly the
 * same conditions. The rounds of a second before the measurement warm up.
 */
export async function compareThroughput(
  contenders: readonly Contender[],
  options: ThroughputOptions,
): Promise<Throughput[]> {
  const samples = contenders.map((): Round[] => []);
  const warmUps = Math.min(options.rounds, Math.ceil(WARM_UP_MS / options.roundMs));
  for (let round = -warmUps; round < options.rounds; round += 1) {
    const order = contenders.map((_, index) => index);
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const contender = contenders[index];
      if (contender === undefined) continue;
      const measured = await runFor(contender, options);
      if (round >= 0) samples[index]?.push(measured);
    }
  }
  return contenders.map((contender, index) => ({
    name: contender.name,
    perSecond: median((samples[index] ?? []).map(({ perSecond }) => perSecond)),
    rates: (samples[index] ?? []).map(({ perSecond }) => perSecond),
    p99Ms: median((samples[index] ?? []).map(({ p99Ms }) => p99Ms)),
  }));
}

/** How many times as fast `one` was as `other`: the median of the ratios of their rounds, in which both had the same conditions. */
export function ratioOf(one: Throughput, other: Throughput): number {
  return median(one.rates.map((rate, round) => rate / (other.rates[round] ?? Number.NaN)));
}

type Round = Pick<Throughput, 'perSecond' | 'p99Ms'>;

async function runFor(contender: Contender, options: ThroughputOptions): Promise<Round> {
  const start = performance.now();
  const end = start + options.roundMs;
  const durations: number[] = [];
  const worker = async () => {
    for (let before = performance.now(); before < end; ) {
      await contender.run();
      const after = performance.now();
      durations.push(after - before);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, worker));
  const perSecond = (durations.length * 1000) / (performance.now() - start);
  return { perSecond, p99Ms: quantile(durations, 0.99) };
}
