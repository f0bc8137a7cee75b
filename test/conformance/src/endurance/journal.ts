import { closeSync, openSync, readSync } from 'node:fs';
import type { LogEntry } from '@molecule-tests/harness';

/** Writes one JSON line to stdout. A file as stdout is written at once, so that a kill loses no line. */
export function note(event: string, facts: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

/** Reads a growing file of JSON lines, each line once. A last line that a kill cut short is left out. */
export class JournalReader {
  readonly #path: string;
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines since the last call. */
  readNew(): LogEntry[] {
    const descriptor = openSync(this.#path, 'r');
    const chunk = Buffer.alloc(64 * 1024);
    try {
      for (;;) {
        const length = readSync(descriptor, chunk, 0, chunk.length, this.#offset);
        if (length === 0) break;
        this.#offset += length;
        this.#rest += chunk.toString('utf8', 0, length);
      }
    } finally {
      closeSync(descriptor);
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap(parse);
  }
}

/** A process that was killed while it wrote leaves half a line, which the next one continues. */
function parse(line: string): LogEntry[] {
  try {
    return [JSON.parse(line) as LogEntry];
  } catch {
    return [];
  }
}
