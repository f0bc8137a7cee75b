import { join } from 'node:path';
import type { JsonValue } from '@molecule-ai/protocol';
import type { Logger } from '../logging/logger.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

export interface StoredStateOptions {
  /** The folder of the agent's private files. */
  readonly directory: string;
  readonly file: string;
  readonly logger: Logger;
  /** Reads what was stored; whatever the file has as JSON. */
  restore(stored: JsonValue): void;
  /** What is stored, as JSON. */
  snapshot(): unknown;
  /** What a warning says when the file cannot be read or written. */
  readonly whenLost: string;
}

/** A small private file of JSON, read once, and written as a whole in the background when something has changed. A failure is a warning. */
export class StoredState {
  readonly #options: StoredStateOptions;
  #loading: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isDirty = false;

  constructor(options: StoredStateOptions) {
    this.#options = options;
  }

  load(): Promise<void> {
    this.#loading ??= this.#read();
    return this.#loading;
  }

  /** Stores it soon; changes until then are stored together. */
  changed(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Resolves when what had changed is stored. */
  written(): Promise<void> {
    return this.#writing;
  }

  async #read(): Promise<void> {
    const { directory, file, logger, whenLost } = this.#options;
    try {
      const text = await readPrivateFile(join(directory, file), { logger });
      if (text !== undefined) this.#options.restore(JSON.parse(text) as JsonValue);
    } catch (error) {
      logger.warn({ error }, `${file} could not be read: ${whenLost}`);
    }
  }

  async #write(): Promise<void> {
    this.#isDirty = false;
    const { directory, file, logger, whenLost } = this.#options;
    const text = `${JSON.stringify(this.#options.snapshot())}\n`;
    await writePrivateFile(join(directory, file), text).catch((error: unknown) => {
      logger.warn({ error }, `${file} could not be written; after a restart ${whenLost}`);
    });
  }
}
