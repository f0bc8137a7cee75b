import { z } from 'zod';
import {
  readPrivateFile,
  removeAbandonedTemporaries,
  storageError,
  writePrivateFile,
} from '../storage/private-file.ts';
import type { CursorRecord, CursorStore } from './cursor-store.ts';

const MAX_BYTES = 16 * 1024 * 1024;
const BARE_ID = /^[\w.:-]{1,200}$/;

const StoredRecord = z.object({
  version: z.literal(1),
  acknowledged: z.string().nullable(),
  read: z.string().nullable(),
  finishedAhead: z.array(z.string()),
  recent: z.array(z.string()),
  attempts: z.record(z.string(), z.int().min(0)),
});

/**
 * Keeps the position in a JSON file, mode 0600, replaced as a whole. A file that holds nothing but an id, as the
 * Python SDK's `--cursor-file` writes it, is taken as that position (seed 003).
 */
export class FileCursorStore implements CursorStore {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @throws MoleculeError `storage_failed` when the file is there and cannot be used. */
  async load(): Promise<CursorRecord | undefined> {
    await removeAbandonedTemporaries(this.path, Date.now());
    const text = (await readPrivateFile(this.path, { maxBytes: MAX_BYTES }))?.trim() ?? '';
    if (text === '') return undefined;
    if (BARE_ID.test(text))
      return { acknowledged: text, read: text, finishedAhead: [], recent: [], attempts: {} };
    try {
      const { version: _version, ...record } = StoredRecord.parse(JSON.parse(text));
      return record;
    } catch (cause) {
      throw storageError('The cursor file holds something else than a cursor', this.path, cause);
    }
  }

  /** @throws MoleculeError `storage_failed` */
  async save(record: CursorRecord): Promise<void> {
    await writePrivateFile(this.path, `${JSON.stringify({ version: 1, ...record })}\n`);
  }
}
