/** Duration and size of the measurements. `QUICK` only checks that the benchmarks run, `LARGE` has the largest sizes. */
export interface BenchmarkOptions {
  readonly roundMs: number;
  readonly rounds: number;
  readonly messages: number;
  readonly idleSeconds: number;
  readonly feedRows: number;
  readonly starts: number;
  /** Numbers of agents in a process, increasing. */
  readonly agents: readonly number[];
  /** Between the start of many agents and the measurement of their memory. */
  readonly idleMs: number;
  readonly simulatedHours: number;
}

export const USUAL: BenchmarkOptions = {
  roundMs: 250,
  rounds: 30,
  messages: 400,
  idleSeconds: 90,
  feedRows: 100_000,
  starts: 15,
  agents: [250, 1_000],
  idleMs: 60_000,
  simulatedHours: 24,
};

export const LARGE: BenchmarkOptions = { ...USUAL, agents: [1_000, 4_000] };

export const QUICK: BenchmarkOptions = {
  roundMs: 150,
  rounds: 1,
  messages: 20,
  idleSeconds: 2,
  feedRows: 2_000,
  starts: 2,
  agents: [10, 20],
  idleMs: 100,
  simulatedHours: 1,
};
