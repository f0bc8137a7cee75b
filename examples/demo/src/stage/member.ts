import { fileURLToPath } from 'node:url';
import type { Actor } from './actor.ts';
import type { Stage } from './stage.ts';

/** A workspace and its agent. */
export class Member {
  readonly name: string;
  readonly id: string;
  readonly #program: URL;
  readonly #environment: Readonly<Record<string, string>>;
  #actor: Actor | undefined;

  constructor(name: string, id: string, environment: Readonly<Record<string, string>>) {
    this.name = name;
    this.#program = new URL(`../agents/${name}.js`, import.meta.url);
    this.id = id;
    this.#environment = environment;
  }

  /** The process of its agent: the newest one, when it was started again. */
  get actor(): Actor {
    if (this.#actor === undefined) throw new Error(`${this.name} was not started`);
    return this.#actor;
  }

  /** What starts the agent in a shell. */
  get commandLine(): string {
    const variables = Object.entries(this.#environment).filter(([, value]) => value !== '');
    const settings = variables.map(([name, value]) => `${name}='${value}'`).join(' ');
    return `env ${settings} '${process.execPath}' '${fileURLToPath(this.#program)}'`;
  }

  /** Starts the agent in the same state folder as before, and waits until it says that it is online. */
  async start(stage: Stage, signal: AbortSignal): Promise<void> {
    const program = fileURLToPath(this.#program);
    this.#actor = stage.start({ name: this.name, program, environment: this.#environment });
    const { pid } = this.#actor;
    // The log still holds what an earlier process said, so the process id has to match.
    await this.#actor.says(
      (entries) => entries.find((entry) => entry.event === 'online' && entry.pid === pid),
      signal,
    );
  }
}
