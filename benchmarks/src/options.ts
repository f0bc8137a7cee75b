/** Duration and size of the measurements. `QUICK` only checks that the benchmarks run. */
export interface BenchmarkOptions {
  readonly roundMs: number;
  readonly rounds: number;
  readonly messages: number;
  readonly idleSeconds: number;
  readonly feedRows: number;
  readonly starts: number;
  readonly agents: number;
}

export const FULL: BenchmarkOptions = {
  roundMs: 1_500,
  rounds: 5,
  messages: 400,
  idleSeconds: 90,
  feedRows: 100_000,
  starts: 15,
  agents: 1_000,
};

export const QUICK: BenchmarkOptions = {
  roundMs: 150,
  rounds: 1,
  messages: 20,
  idleSeconds: 2,
  feedRows: 2_000,
  starts: 2,
  agents: 20,
};
