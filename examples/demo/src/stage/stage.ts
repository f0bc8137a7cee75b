import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Actor, type ActorOptions } from './actor.ts';

/** The temporary folder and the processes of one run. Whatever happens, `clear` leaves neither. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'molecule-demo-'));
  readonly #actors: Actor[] = [];
  readonly #lastResort = () => {
    for (const actor of this.#actors) actor.signal('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };

  constructor() {
    process.once('exit', this.#lastResort);
  }

  start(options: Omit<ActorOptions, 'folder'>): Actor {
    const actor = new Actor({
      ...options,
      folder: this.folder,
      environment: { HOME: this.folder, ...options.environment },
    });
    this.#actors.push(actor);
    return actor;
  }

  get actors(): readonly Actor[] {
    return this.#actors;
  }

  /** What the processes wrote to stderr, for a failed run. */
  get complaints(): string {
    const written = new Map(this.#actors.map(({ name, errors }) => [name, errors.text.trim()]));
    return [...written]
      .map(([name, text]) => (text === '' ? '' : `\n\nstderr of ${name}:\n${text}`))
      .join('');
  }

  /** Ends the processes, the last one started first, and deletes the folder. */
  async clear(): Promise<void> {
    for (const actor of this.#actors.toReversed()) await actor.stop();
    rmSync(this.folder, { recursive: true, force: true });
    process.off('exit', this.#lastResort);
  }

  /** What `clear` should have ended or deleted but did not. */
  get leftovers(): string[] {
    const running = this.#actors.filter(({ pid }) => isAlive(pid)).map(({ name }) => name);
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
