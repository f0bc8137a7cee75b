import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A program in the foreground, with all that it writes. */
export class ForegroundProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exit: Promise<number | null>;
  #output = '';
  #written = Promise.withResolvers<void>();

  constructor(
    program: string,
    given: readonly string[],
    env: Readonly<Record<string, string>> = {},
    cwd?: string,
  ) {
    this.#name = program;
    const path = `${process.env.PATH}:/usr/sbin:/sbin`;
    this.#child = spawn(program, given, {
      env: { ...env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#output += chunk;
        this.#written.resolve();
        this.#written = Promise.withResolvers();
      });
    }
    const failed = once(this.#child, 'error').then(([error]) => {
      this.#output += String(error);
      return null;
    });
    const closed = once(this.#child, 'close').then(([code]) => code as number | null);
    this.#exit = Promise.race([closed, failed]);
  }

  get output(): string {
    return this.#output;
  }

  /** Waits until it has written `text` so many times. @throws with its output when it ends before */
  async wrote(text: string, times = 1): Promise<void> {
    const isThere = () => this.#output.split(text).length > times;
    const ended = this.#exit.then(() => {
      if (!isThere()) {
        throw new Error(
          `${this.#name} ended without "${text}"; scripts/install-system-packages.sh installs it. ${this.#output}`,
        );
      }
    });
    ended.catch(() => {});
    while (!isThere()) await Promise.race([this.#written.promise, ended]);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Returns its exit code. */
  stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.signal(name);
    return this.#exit;
  }
}
