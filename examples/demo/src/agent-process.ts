import { fileURLToPath } from 'node:url';
import { type LogEntry, LogFile, type ProgramProcess } from '@molecule-tests/harness';
import type { DemoRun } from './demo-run.ts';

/** A workspace and the process of its agent, which can be started again. */
export class AgentProcess {
  readonly name: string;
  readonly id: string;
  readonly #program: string;
  readonly #environment: Readonly<Record<string, string>>;
  #process: ProgramProcess | undefined;

  constructor(name: string, id: string, environment: Readonly<Record<string, string>>) {
    this.name = name;
    this.#program = fileURLToPath(new URL(`./agents/${name}.js`, import.meta.url));
    this.id = id;
    this.#environment = environment;
  }

  /** The newest process. */
  get process(): ProgramProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was not started`);
    return this.#process;
  }

  /** What all its processes have logged about this event. */
  logged(event: string): LogEntry[] {
    return new LogFile(this.process.log.path).entriesOf(event);
  }

  /** What starts the agent in a shell. */
  get commandLine(): string {
    const variables = Object.entries(this.#environment).filter(([, value]) => value !== '');
    const settings = variables.map(([name, value]) => `${name}='${value}'`).join(' ');
    return `env ${settings} '${process.execPath}' '${this.#program}'`;
  }

  /** Starts the agent in the same state folder as before, and waits until it is online. */
  async start(run: DemoRun): Promise<void> {
    this.#process = run.start({ name: this.name, program: this.#program, environment: this.#environment });
    await this.#process.waitForEvent('online', run.deadline.signal);
  }
}
