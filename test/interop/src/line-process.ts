import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Operation, Outcome, Target } from './client-program.ts';

type Line = Readonly<Record<string, unknown>>;

/** How a program is started, without its arguments. */
export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
}

/** How long a line is waited for. */
const WAIT_MS = 60_000;

/** A program in a process of its own that writes lines of JSON to stdout and ends with its stdin. */
export class LineProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #waiting = new Set<() => void>();
  #errors = '';
  #hasEnded = false;
  #calls = 0;

  constructor(name: string, command: Command, args: readonly string[] = []) {
    this.#name = name;
    this.#child = spawn(command.file, [...command.arguments, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', PYTHONDONTWRITEBYTECODE: '1' },
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('a process without pipes');
    stderr.on('data', (chunk: Buffer) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-4_000);
    });
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
    this.#child.once('error', (error) => {
      this.#errors += error.message;
    });
    this.#child.once('close', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    this.#child.stdin?.on('error', () => {});
  }

  /** All lines so far. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** @throws with its stderr when the process ends, or a minute passes, without a line that `find` accepts */
  async waitFor(find: (line: Line) => boolean): Promise<Line> {
    const signal = AbortSignal.timeout(WAIT_MS);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    for (;;) {
      const found = this.#lines.find(find);
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`${this.#name} ended. ${this.#errors.trim()}`);
      if (signal.aborted) throw new Error(`${this.#name} wrote nothing for a minute. ${this.#errors.trim()}`);
      await this.#change();
    }
  }

  /** Asks a client program for one operation. */
  async call(target: Target, operation: Operation): Promise<Outcome> {
    const seq = ++this.#calls;
    this.#child.stdin?.write(`${JSON.stringify({ seq, target, operation })}\n`);
    const { seq: _, ...outcome } = await this.waitFor((line) => line.seq === seq);
    return outcome as unknown as Outcome;
  }

  /** Closes its stdin and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    while (!this.#hasEnded) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
