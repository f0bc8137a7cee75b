import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { TestEnvironment } from './test-environment.ts';

export interface ProgramOptions {
  readonly cwd?: string;
  /** Its environment besides PATH, and HOME, which is an empty folder unless it is given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A program that a page prints, running. */
export interface Program {
  /** Everything it wrote so far. */
  readonly output: () => string;
  /** Resolves when it has written this; rejects with its output when it ends without. */
  readonly wrote: (text: string | RegExp) => Promise<void>;
  readonly interrupt: () => void;
  readonly exit: Promise<{ readonly code: number | null; readonly output: string }>;
}

/**
 * Whether these programs are installed. In CI they must be; elsewhere a line names what was not run, because Node and npm are
 * enough for the tests.
 */
export function areInstalled(...programs: readonly string[]): boolean {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).status !== 0);
  if (missing.length === 0) return true;
  const names = missing.join(', ');
  if (process.env.CI !== undefined && process.env.CI !== '') {
    throw new Error(`Missing: ${names}. scripts/install-system-packages.sh lists what CI needs.`);
  }
  process.stderr.write(`Not installed: ${names}. A sample that needs it was not run.\n`);
  return false;
}

/** Runs a program until the test ends. */
export function runProgram(
  environment: TestEnvironment,
  program: string,
  given: readonly string[],
  { cwd, env }: ProgramOptions = {},
): Program {
  const own = { PATH: process.env.PATH, HOME: environment.folder(), NODE_NO_WARNINGS: '1', ...env };
  // In a group of its own, so that what a shell starts ends with it.
  const child = spawn(program, given, { env: own, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const signal = (name: 'SIGINT' | 'SIGKILL') => {
    try {
      process.kill(-(child.pid ?? 0), name);
    } catch {
      // Nothing of it runs any more.
    }
  };
  let output = '';
  let written = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
      written.resolve();
      written = Promise.withResolvers();
    });
  }
  const exit = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  const wrote = async (text: string | RegExp) => {
    const isThere = () => (typeof text === 'string' ? output.includes(text) : text.test(output));
    const ended = exit.then(() => {
      if (!isThere()) throw new Error(`it ended without "${text}": ${output}`);
    });
    ended.catch(() => {});
    while (!isThere()) await Promise.race([written.promise, ended]);
  };
  environment.onCleanup(async () => {
    signal('SIGKILL');
    await exit;
  });
  return { output: () => output, wrote, interrupt: () => signal('SIGINT'), exit };
}

/** Runs commands of a page in `sh`, which stops at the first that fails. */
export function runShell(environment: TestEnvironment, commands: string, options?: ProgramOptions): Program {
  return runProgram(environment, 'sh', ['-e', '-c', commands], options);
}

/** Runs commands of a page to their end, and returns what they wrote. @throws with it when one fails */
export async function shell(
  environment: TestEnvironment,
  commands: string,
  options?: ProgramOptions,
): Promise<string> {
  const { code, output } = await runShell(environment, commands, options).exit;
  if (code !== 0) throw new Error(`exit code ${code}: ${output}`);
  return output;
}
