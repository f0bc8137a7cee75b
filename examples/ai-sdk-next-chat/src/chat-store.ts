import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UIMessage } from 'ai';

/** Stores chats as files that only this user may read: they have words of peers. In production a database, by user. */
export class ChatStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(id: string): Promise<UIMessage[] | undefined> {
    const text = await readFile(this.#pathOf(id), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async save(id: string, messages: readonly UIMessage[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const written = `${this.#pathOf(id)}.new`;
    await writeFile(written, JSON.stringify(messages), { mode: 0o600 });
    await rename(written, this.#pathOf(id));
  }

  /** Whether an approval is used for the first time: a file of its name can be created once, by whatever process. */
  async redeem(key: string): Promise<boolean> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    try {
      await writeFile(join(this.#folder, `${key}.used`), '', { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /** The page chooses the id, so it is no part of the path. */
  #pathOf(id: string): string {
    return join(this.#folder, `${createHash('sha256').update(id).digest('hex')}.json`);
  }
}
