import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgramProcess, type ProgramProcessOptions } from '@molecule-tests/harness';
import type { Break } from './arguments.ts';
import type { Deadline } from './deadline.ts';
import type { Checks } from './output/checks.ts';
import type { Timeline } from './output/timeline.ts';

const STOP_WITHIN_MS = 5_000;

export interface DemoRunOptions {
  readonly break: Break | undefined;
  readonly timeline: Timeline;
  readonly checks: Checks;
  readonly deadline: Deadline;
}

/** One run: its output, its temporary folder and its processes. Whatever happens, `clear` leaves neither. */
export class DemoRun {
  readonly break: Break | undefined;
  readonly timeline: Timeline;
  readonly checks: Checks;
  readonly deadline: Deadline;
  readonly folder = mkdtempSync(join(tmpdir(), 'molecule-demo-'));
  readonly #processes: ProgramProcess[] = [];
  readonly #clearAtExit = () => {
    for (const started of this.#processes) started.signal('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };

  constructor(options: DemoRunOptions) {
    this.break = options.break;
    this.timeline = options.timeline;
    this.checks = options.checks;
    this.deadline = options.deadline;
    process.once('exit', this.#clearAtExit);
  }

  /** Starts a program whose home is the run's folder. */
  start(options: Omit<ProgramProcessOptions, 'folder'>): ProgramProcess {
    const environment = { HOME: this.folder, ...options.environment };
    return this.own(new ProgramProcess({ ...options, environment, folder: this.folder }));
  }

  /** Ends this process with the run. */
  own(started: ProgramProcess): ProgramProcess {
    this.#processes.push(started);
    return started;
  }

  get processes(): readonly ProgramProcess[] {
    return this.#processes;
  }

  /** What the processes wrote to stderr, for a failed run. */
  get errorOutput(): string {
    const written = this.#processes.map(({ pid, name, errors }) => ({ pid, name, text: errors.text.trim() }));
    return written
      .filter(({ text }) => text !== '')
      .map(({ pid, name, text }) => `\n\nstderr of ${name}, process ${pid}:\n${text}`)
      .join('');
  }

  /** Ends the processes, the last one started first, and deletes the folder. */
  async clear(): Promise<void> {
    for (const started of this.#processes.toReversed()) await started.stop(STOP_WITHIN_MS);
    rmSync(this.folder, { recursive: true, force: true });
    process.off('exit', this.#clearAtExit);
  }

  /** What `clear` should have ended or deleted but did not. */
  get leftovers(): string[] {
    const running = this.#processes.filter(({ pid }) => isAlive(pid)).map(({ name }) => name);
    return existsSync(this.folder) ? [...running, this.folder] : running;
  }
}

/** Asks the operating system, not the child handle. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
