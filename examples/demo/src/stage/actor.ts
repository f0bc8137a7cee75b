import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type LogEntry, LogFile } from './log-file.ts';

const GRACE_MS = 5_000;
const PRELOAD = new URL('./end-with-parent.js', import.meta.url).href;

export interface ActorOptions {
  readonly name: string;
  /** The program, and its arguments. */
  readonly program: string;
  readonly arguments?: readonly string[];
  /** Its whole environment besides PATH: nothing of the user's shell reaches a process of the demo. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where its output goes: `<name>.log` and `<name>.err`, appended. */
  readonly folder: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One process of the demo. */
export class Actor {
  readonly name: string;
  readonly pid: number;
  /** What it wrote to stdout: JSON lines. */
  readonly log: LogFile;
  /** What it wrote to stderr; it explains a failed run. */
  readonly errors: LogFile;
  /** Settles when the process has ended. */
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;

  constructor({ name, program, arguments: given = [], environment, folder }: ActorOptions) {
    this.name = name;
    this.log = new LogFile(join(folder, `${name}.log`));
    this.errors = new LogFile(join(folder, `${name}.err`));
    const [out, err] = [openSync(this.log.path, 'a', 0o600), openSync(this.errors.path, 'a', 0o600)];
    this.#child = spawn(process.execPath, ['--import', PRELOAD, program, ...given], {
      stdio: ['pipe', out, err],
      env: { PATH: process.env.PATH, ...environment },
    });
    closeSync(out);
    closeSync(err);
    this.pid = this.#child.pid ?? 0;
    this.exit = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }));
  }

  /** Waits until its log says something; fails when it ends without having said it. */
  async says<T>(find: (entries: LogEntry[]) => T | undefined, signal: AbortSignal): Promise<T> {
    const ended = this.exit.then(({ code, signal: killer }) => {
      throw new Error(`${this.name} ended with ${killer ?? code}. It wrote:\n${this.errors.text}`);
    });
    ended.catch(() => {});
    return Promise.race([this.log.waitFor(find, signal), ended]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end, and ends it when it does not. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), GRACE_MS);
    const exit = await this.exit;
    clearTimeout(timer);
    return exit;
  }
}
