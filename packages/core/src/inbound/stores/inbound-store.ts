import { join } from 'node:path';
import {
  appendPrivateFile,
  readPrivateFile,
  removeAbandonedTemporaries,
  writePrivateFile,
} from '../../storage/private-file.ts';

const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Where an agent keeps what it knows about its messages, as a log: position, finished messages, attempts, answers
 * that are not sent yet, `once` results, dead letters. A line is one JSON object without a line break; a store does
 * not read it. Lines may hold text of messages: keep them private. Calls never overlap.
 */
export interface InboundStore {
  /** All lines since the last `replace`, oldest first. Rejects when what is stored cannot be read. */
  load(): Promise<readonly string[]>;
  /**
   * Adds lines at the end; what is resolved survives a crash. After a rejection some of them may be stored: the
   * next call is then `replace`.
   */
  append(lines: readonly string[]): Promise<void>;
  /** Stores these lines in place of all others, entirely or not at all. */
  replace(lines: readonly string[]): Promise<void>;
}

/** Keeps nothing on disk: after a restart the position that the platform has acknowledged counts. */
export class MemoryInboundStore implements InboundStore {
  #lines: string[] = [];

  async load(): Promise<readonly string[]> {
    return [...this.#lines];
  }

  async append(lines: readonly string[]): Promise<void> {
    this.#lines.push(...lines);
  }

  async replace(lines: readonly string[]): Promise<void> {
    this.#lines = [...lines];
  }
}

/** Options of {@link FileInboundStore}. */
export interface FileInboundStoreOptions {
  /**
   * A file that holds nothing but a row's id, as the Python SDK's `--cursor-file` does: the position to start from
   * while there is no log. It is read only. @default `cursor.json` in the folder
   */
  cursorFile?: string | undefined;
}

/** Keeps the log in `inbound.jsonl`, mode 0600, in a folder that is created with mode 0700. */
export class FileInboundStore implements InboundStore {
  readonly path: string;
  readonly #cursorFile: string;

  constructor(directory: string, options: FileInboundStoreOptions = {}) {
    this.path = join(directory, 'inbound.jsonl');
    this.#cursorFile = options.cursorFile ?? join(directory, 'cursor.json');
  }

  /** @throws MoleculeError `storage_failed` when a file is there and cannot be read. */
  async load(): Promise<readonly string[]> {
    await removeAbandonedTemporaries(this.path, Date.now());
    const limits = { maxBytes: MAX_BYTES, isMalformedAllowed: true };
    const text =
      (await readPrivateFile(this.path, limits)) ?? (await readPrivateFile(this.#cursorFile, limits));
    return (text ?? '').split('\n').filter((line) => line.trim() !== '');
  }

  /** @throws MoleculeError `storage_failed`, also when the file is missing. */
  async append(lines: readonly string[]): Promise<void> {
    await appendPrivateFile(this.path, textOf(lines));
  }

  /** @throws MoleculeError `storage_failed` */
  async replace(lines: readonly string[]): Promise<void> {
    await writePrivateFile(this.path, textOf(lines));
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
