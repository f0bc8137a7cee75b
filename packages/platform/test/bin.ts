import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** The bin in a process of its own. */
export interface BinRun {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly output: { out: string; err: string };
  /** Resolves with the first line of stdout. */
  readonly firstLine: Promise<string>;
  readonly exited: Promise<number | null>;
}

/** Runs the bin with these variables as its environment. It ends with the test. */
export function runBin(args: readonly string[], environment: Record<string, string> = {}): BinRun {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { out: '', err: '' };
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output.out += chunk;
      const end = output.out.indexOf('\n');
      if (end >= 0) resolve(output.out.slice(0, end));
    });
    child.on('close', () => reject(new Error(`ended early: ${output.err}`)));
  });
  firstLine.catch(() => {});
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, output, firstLine, exited };
}
