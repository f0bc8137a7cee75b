import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { platformBin } from '@molecule-tests/harness';
import type { TestEnvironment } from './test-environment.ts';

/** A command of the platform's bin that has ended. */
export interface BinResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the platform's bin to its end, with these variables and PATH as its environment. */
export async function runBin(
  environment: TestEnvironment,
  given: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<BinResult> {
  const child = spawn(process.execPath, [platformBin(), ...given], {
    env: { PATH: process.env.PATH, HOME: environment.folder(), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  environment.onCleanup(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const [code] = await closed;
  return { code: code as number | null, ...output };
}
