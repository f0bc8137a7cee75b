import { createHash } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonValue } from '@molecule-ai/protocol';
import { z } from 'zod';
import {
  errnoOf,
  readPrivateFile,
  removeAbandonedTemporaries,
  storageError,
  writePrivateFile,
} from '../storage/private-file.ts';
import type { JournalEntry, MessageJournal } from './message-journal.ts';

const MAX_BYTES = 64 * 1024 * 1024;

const StoredEntry = z.object({
  activityId: z.string(),
  outcome: z.object({ reply: z.string().nullable() }).nullable(),
  repliesSent: z.int().min(0),
  effects: z.record(z.string(), JsonValue),
});

/** One file of mode 0600 per unfinished message, in a folder of mode 0700; named by a hash of the row's id. */
export class FileMessageJournal implements MessageJournal {
  readonly directory: string;
  #names: Promise<Set<string>> | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  async load(activityId: string): Promise<JournalEntry | undefined> {
    if (!(await this.#known()).has(nameOf(activityId))) return undefined;
    const path = this.#pathOf(activityId);
    const text = await readPrivateFile(path, { maxBytes: MAX_BYTES });
    if (text === undefined) return undefined;
    try {
      const { activityId: owner, ...entry } = StoredEntry.parse(JSON.parse(text));
      return owner === activityId ? entry : undefined;
    } catch (cause) {
      throw storageError('The journal file holds something else than a journal entry', path, cause);
    }
  }

  async save(activityId: string, entry: JournalEntry): Promise<void> {
    (await this.#known()).add(nameOf(activityId));
    await writePrivateFile(this.#pathOf(activityId), JSON.stringify({ activityId, ...entry }));
  }

  async remove(activityId: string): Promise<void> {
    if (!(await this.#known()).delete(nameOf(activityId))) return;
    const path = this.#pathOf(activityId);
    await unlink(path).catch((cause: unknown) => {
      if (errnoOf(cause) !== 'ENOENT') throw storageError('Cannot delete the file', path, cause);
    });
  }

  /** What an earlier run left: most messages have no entry, so that no file needs to be tried. */
  #known(): Promise<Set<string>> {
    this.#names ??= this.#readNames();
    return this.#names;
  }

  async #readNames(): Promise<Set<string>> {
    const names = await readdir(this.directory).catch(() => []);
    for (const name of names) {
      // A writer that died left a part of a message's text; `.<file>.json.<rest>.tmp`.
      if (!name.startsWith('.') || !name.endsWith('.tmp')) continue;
      const file = `${name.slice(1).split('.', 1)[0]}.json`;
      await removeAbandonedTemporaries(join(this.directory, file), Date.now());
    }
    return new Set(names);
  }

  #pathOf(activityId: string): string {
    return join(this.directory, nameOf(activityId));
  }
}

function nameOf(activityId: string): string {
  return `${createHash('sha256').update(activityId).digest('hex').slice(0, 40)}.json`;
}
