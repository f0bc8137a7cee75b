import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConversationStore } from '@molecule-ai/ai-sdk';
import type { ModelMessage } from 'ai';

/** Conversations as files that only this user may read, so that the example needs no database. */
export class FileStore implements ConversationStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(id: string): Promise<readonly ModelMessage[] | undefined> {
    const text = await readFile(this.#pathOf(id), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return text === undefined ? undefined : JSON.parse(text);
  }

  async save(id: string, messages: readonly ModelMessage[]): Promise<void> {
    if (messages.length === 0) return rm(this.#pathOf(id), { force: true });
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const written = `${this.#pathOf(id)}.new`;
    await writeFile(written, JSON.stringify(messages), { mode: 0o600 });
    await rename(written, this.#pathOf(id));
  }

  /** Senders choose parts of the id. */
  #pathOf(id: string): string {
    return join(this.#folder, `${createHash('sha256').update(id).digest('hex')}.json`);
  }
}
