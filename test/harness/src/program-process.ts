import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LogEntry, LogFile } from './log-file.ts';

const STOP_TIMEOUT_MS = 15_000;
const PRELOAD = new URL('./end-with-parent.js', import.meta.url).href;

export interface ProgramProcessOptions {
  /** Names the log files. */
  readonly name: string;
  /** Path of the JavaScript or TypeScript file that Node runs. */
  readonly program: string;
  readonly arguments?: readonly string[];
  /** Its whole environment besides PATH: nothing of the user's shell reaches it. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its output is appended: `<name>.log` (stdout, JSON lines) and `<name>.err` (stderr). */
  readonly folder: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A Node program in a process of its own. It ends with the process that started it, however that ends. */
export class ProgramProcess {
  readonly name: string;
  readonly pid: number;
  /** What this process wrote to stdout. A line is readable here before anything that follows it happens. */
  readonly log: LogFile;
  /** What this process wrote to stderr. */
  readonly errors: LogFile;
  /** Resolves when the process has ended. */
  readonly exit: Promise<ProcessExit>;
  readonly #child: ChildProcess;

  constructor({ name, program, arguments: given = [], environment, folder }: ProgramProcessOptions) {
    this.name = name;
    const [out, err] = [openLog(folder, `${name}.log`), openLog(folder, `${name}.err`)];
    this.log = out.file;
    this.errors = err.file;
    this.#child = spawn(process.execPath, ['--import', PRELOAD, program, ...given], {
      stdio: ['pipe', out.descriptor, err.descriptor],
      env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', ...environment },
    });
    closeSync(out.descriptor);
    closeSync(err.descriptor);
    this.pid = this.#child.pid ?? 0;
    this.exit = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }));
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Waits until its log has what `find` looks for.
   * @throws with its stderr when the process ends without having written it
   */
  async waitForLog<T>(find: (entries: LogEntry[]) => T | undefined, signal?: AbortSignal): Promise<T> {
    const waiting = new AbortController();
    const signals = signal === undefined ? [waiting.signal] : [waiting.signal, signal];
    const ended = this.exit.then(({ code, signal: killedBy }) => {
      const found = find(this.log.entries);
      if (found !== undefined) return found;
      throw new Error(`${this.name} ended with ${killedBy ?? code}. It wrote:\n${this.errors.text}`);
    });
    const found = this.log.waitFor(find, AbortSignal.any(signals));
    found.catch(() => {});
    ended.catch(() => {});
    try {
      return await Promise.race([found, ended]);
    } finally {
      waiting.abort();
    }
  }

  /** Waits for the first line of this kind. */
  waitForEvent(event: string, signal?: AbortSignal): Promise<LogEntry> {
    return this.waitForLog((entries) => entries.find((entry) => entry.event === event), signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it without warning, as a crash or the kernel does. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }

  /** Asks it to end, and kills it when it has not after `timeoutMs`. @default timeoutMs: 15_000 */
  async stop(timeoutMs = STOP_TIMEOUT_MS): Promise<ProcessExit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const exit = await this.exit;
    clearTimeout(timer);
    return exit;
  }
}

function openLog(folder: string, name: string): { descriptor: number; file: LogFile } {
  const path = join(folder, name);
  const descriptor = openSync(path, 'a', 0o600);
  return { descriptor, file: new LogFile(path, statSync(path).size) };
}
