import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { benchStreamBoundary } from './streams/boundary.ts';
import { benchStreamLatency } from './streams/latency.ts';
import { benchStreamMemory } from './streams/memory.ts';
import { benchStreamRate } from './streams/rate.ts';

/** Measures answers that are read while they are made: delay, throughput, memory of the platform, and the trust boundary. */
export async function benchStreams(options: BenchmarkOptions): Promise<Figure[]> {
  return [
    ...(await benchStreamLatency(options)),
    ...(await benchStreamRate(options)),
    ...(await benchStreamMemory()),
    ...(await benchStreamBoundary(options)),
  ];
}
