import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startCalls } from './proxied-call.ts';
import { startProcess } from './servers/start-process.ts';

const IN_FLIGHT = 64;
const TARGET_MB = 250;

/** Measures the resident memory of the platform's process before and after proxied calls, 64 at a time. */
export async function benchMemory(options: BenchmarkOptions): Promise<Figure[]> {
  const agent = await startProcess('agent-server');
  const calls = await startCalls('normal', agent.url);
  try {
    const before = await residentMb(calls.pid);
    let left = options.messages * 10;
    const worker = async () => {
      while (left-- > 0) await calls.run();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    const after = await residentMb(calls.pid);
    return [
      {
        name: 'memory of the platform',
        value: `${after} MB after ${options.messages * 10} calls, ${before} MB before`,
        target: `at most ${TARGET_MB} MB`,
        met: after <= TARGET_MB,
      },
    ];
  } finally {
    await calls.close();
    await agent.close();
  }
}

/** Of a process. */
export async function residentMb(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Math.round(Number(stdout) / 1024);
}
