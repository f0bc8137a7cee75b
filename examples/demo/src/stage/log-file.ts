import { once } from 'node:events';
import { readFileSync, watch } from 'node:fs';

/** One line of a JSON log. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** A file that another process appends to. */
export class LogFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get text(): string {
    return readFileSync(this.path, 'utf8');
  }

  /** The complete lines so far. */
  get entries(): LogEntry[] {
    const lines = this.text.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /** The entries of one kind. */
  about(event: string): LogEntry[] {
    return this.entries.filter((entry) => entry.event === event);
  }

  /** Waits until `find` finds something; looks again whenever the file changes. */
  async waitFor<T>(find: (entries: LogEntry[]) => T | undefined, signal: AbortSignal): Promise<T> {
    const watcher = watch(this.path);
    try {
      for (;;) {
        // Listening begins before looking, so no line falls between the two.
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
