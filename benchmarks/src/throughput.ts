import { median, quantile } from './statistics.ts';

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
  /** Operations per second in each round. */
  readonly rounds: readonly number[];
  /** 99th percentile of the duration of an operation, in milliseconds, median of the rounds. */
  readonly p99Ms: number;
}

/**
 * Runs the contenders alternately in each round, in reversed order every other round, so that all run under nearly the same
 * conditions. One round before the measurement warms up.
 */
export async function compareThroughput(
  contenders: readonly Contender[],
  options: ThroughputOptions,
): Promise<Throughput[]> {
  const samples = contenders.map((): Round[] => []);
  for (let round = -1; round < options.rounds; round += 1) {
    const order = contenders.map((_, index) => index);
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const contender = contenders[index];
      if (contender === undefined) continue;
      const measured = await runFor(contender, options);
      if (round >= 0) samples[index]?.push(measured);
    }
  }
  return contenders.map((contender, index) => {
    const rounds = (samples[index] ?? []).map(({ perSecond }) => perSecond);
    const p99Ms = median((samples[index] ?? []).map((round) => round.p99Ms));
    return { name: contender.name, perSecond: median(rounds), rounds, p99Ms };
  });
}

/** The median of the ratios of the rounds: what disturbs one round disturbs both contenders. */
export function ratioOf(ours: Throughput, other: Throughput): number {
  return median(ours.rounds.map((perSecond, round) => perSecond / (other.rounds[round] ?? Number.NaN)));
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
