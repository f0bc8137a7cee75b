import { dirname, join } from 'node:path';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import {
  PrivateLog,
  readPrivateLines,
  removeAbandonedTemporaries,
  writePrivateFile,
} from '../storage/private-file.ts';

/** Of the texts that are written at once, in characters. */
const CHUNK_LENGTH = 1024 * 1024;

/**
 * Stores the inbound state of an agent as a log: position, finished messages, attempts, unsent answers, `once` results,
 * dead letters. Each line is a JSON object without line breaks, which a store does not have to parse. Lines can contain
 * message text: keep them private. Calls never overlap.
 */
export interface InboundStore {
  /** Returns all lines since the last `replace`, oldest first. Rejects when they cannot be read. */
  load(): Promise<readonly string[]>;
  /**
   * Appends lines; once resolved, they survive a crash. After a rejection some of them may be stored; the next call is
   * then `replace`.
   */
  append(lines: readonly string[]): Promise<void>;
  /** Replaces all lines atomically. */
  replace(lines: readonly string[]): Promise<void>;
  /** Releases what it holds, such as open files. No call follows. */
  close?(): Promise<void>;
}

/** Stores nothing on disk: after a restart the agent continues after the last acknowledged message. */
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

export interface FileInboundStoreOptions {
  /**
   * A file that contains only the id of a row, like the Python SDK's `--cursor-file`: the start position if there is no
   * log. It is never written. @default `cursor.json` in the folder
   */
  cursorFile?: string | undefined;
}

const FILE_STORE_OPTIONS = knownOptions<FileInboundStoreOptions>({ cursorFile: true });

/** Stores the log in `inbound.jsonl`, mode 0600, in a folder that is created with mode 0700. */
export class FileInboundStore implements InboundStore {
  readonly path: string;
  readonly #cursorFile: string;
  readonly #log: PrivateLog;

  constructor(directory: string, options: FileInboundStoreOptions = {}) {
    checkOptionNames('FileInboundStore', options, FILE_STORE_OPTIONS);
    this.path = join(directory, 'inbound.jsonl');
    this.#log = new PrivateLog(this.path);
    this.#cursorFile = options.cursorFile ?? join(directory, 'cursor.json');
  }

  /** @throws MoleculeError `storage_failed` when a file exists and cannot be read. */
  async load(): Promise<readonly string[]> {
    await removeAbandonedTemporaries(dirname(this.path));
    return (await readPrivateLines(this.path)) ?? (await readPrivateLines(this.#cursorFile)) ?? [];
  }

  /** @throws MoleculeError `storage_failed`, also if the file is missing. */
  async append(lines: readonly string[]): Promise<void> {
    await this.#log.append([...chunksOf(lines)].join(''));
  }

  /** @throws MoleculeError `storage_failed` */
  async replace(lines: readonly string[]): Promise<void> {
    await this.#log.close();
    await writePrivateFile(this.path, chunksOf(lines));
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}

/** The text of the lines in parts, because all of it can be longer than a string may be. */
function* chunksOf(lines: readonly string[]): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}
