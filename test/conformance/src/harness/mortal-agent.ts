import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DeliveryName } from './agent-modes.ts';

const PROGRAM = fileURLToPath(new URL('./mortal-agent-program.ts', import.meta.url));

export interface MortalAgentOptions {
  readonly url: string;
  readonly id: string;
  readonly token: string;
  readonly stateDirectory: string;
  readonly delivery: DeliveryName;
  /** Never finishes the message "hang". */
  readonly hangs: boolean;
}

/** An echoing agent in a process of its own, so that it can be killed. */
export class MortalAgent {
  /** What it wrote: `online`, and `handling <text>` for each message. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  #wake: () => void = () => {};

  constructor(options: MortalAgentOptions) {
    this.#child = spawn(process.execPath, [PROGRAM], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env.PATH,
        MOLECULE_PLATFORM_URL: options.url,
        MOLECULE_WORKSPACE_ID: options.id,
        MOLECULE_WORKSPACE_TOKEN: options.token,
        MOLECULE_STATE_DIR: options.stateDirectory,
        DELIVERY: options.delivery,
        HANGS: options.hangs ? 'yes' : 'no',
        NODE_NO_WARNINGS: '1',
      },
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the agent has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(line);
      this.#wake();
    });
    this.#child.on('exit', () => this.#wake());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Waits until it has written this line. */
  async wrote(line: string): Promise<void> {
    while (!this.lines.includes(line)) {
      if (this.#hasEnded()) throw new Error(`the agent ended: ${this.lines.join(' | ')}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async kill(): Promise<void> {
    if (this.#hasEnded()) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
