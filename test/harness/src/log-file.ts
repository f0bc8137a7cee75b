import { once } from 'node:events';
import { readFileSync, watch } from 'node:fs';

/** One line of a JSON log. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** A file of JSON lines that another process appends to. */
export class LogFile {
  readonly path: string;
  readonly #from: number;

  /** @param from Lines before this byte are left out. @default 0 */
  constructor(path: string, from = 0) {
    this.path = path;
    this.#from = from;
  }

  get text(): string {
    return readFileSync(this.path).subarray(this.#from).toString('utf8');
  }

  /** The complete lines so far. */
  get entries(): LogEntry[] {
    const lines = this.text.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /** The entries of one kind. */
  entriesOf(event: string): LogEntry[] {
    return this.entries.filter((entry) => entry.event === event);
  }

  /** Waits until `find` returns something; asks again whenever the file changes. */
  async waitFor<T>(find: (entries: LogEntry[]) => T | undefined, signal?: AbortSignal): Promise<T> {
    const watcher = watch(this.path);
    try {
      for (;;) {
        // Registered before the file is read, so that no line falls between the two.
        const change = once(watcher, 'change', { signal });
        change.catch(() => {});
        const found = find(this.entries);
        if (found !== undefined) return found;
        await change;
      }
    } finally {
      watcher.close();
    }
  }
}
