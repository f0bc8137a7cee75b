import { median } from './statistics.ts';

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
}

/**
 * Runs the contenders alternately in each round, in reversed order every other round, so that all run under nearly the same
 * conditions. One round before the measurement warms up.
 */
export async function compareThroughput(
  contenders: readonly Contender[],
  options: ThroughputOptions,
): Promise<Throughput[]> {
  const samples = contenders.map((): number[] => []);
  for (let round = -1; round < options.rounds; round += 1) {
    const order = contenders.map((_, index) => index);
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const contender = contenders[index];
      if (contender === undefined) continue;
      const perSecond = await runFor(contender, options);
      if (round >= 0) samples[index]?.push(perSecond);
    }
  }
  return contenders.map((contender, index) => ({
    name: contender.name,
    perSecond: median(samples[index] ?? []),
  }));
}

async function runFor(contender: Contender, options: ThroughputOptions): Promise<number> {
  const start = performance.now();
  const end = start + options.roundMs;
  let done = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await contender.run();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, worker));
  return (done * 1000) / (performance.now() - start);
}
