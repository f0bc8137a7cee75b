import { dirname, join } from 'node:path';
import type { Logger } from '../logging/logger.ts';
import {
  PrivateLog,
  readPrivateLines,
  removeAbandonedTemporaries,
  writePrivateFile,
} from '../storage/private-file.ts';
import type { InboundObserver } from './inbound-observer.ts';
import { type DeadLetter, LedgerLine, publicDeadLetter, type StoredDeadLetter } from './ledger-lines.ts';

/** Of the texts that are written at once, in characters. */
const CHUNK_LENGTH = 1024 * 1024;

/**
 * Stores the inbound state of an agent as a log: position, finished messages, attempts, unsent answers, `once` results,
 * dead letters. Each line is a JSON object without line breaks, which a store does not have to parse. Lines can contain
 * message text: keep them private. Calls do not overlap, except for `write`.
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
  /**
   * Appends lines without waiting. When it returns they survive the end of the process, and a crash of the machine once a `flush` that began later
   * has resolved. It is also called during a `flush`. When it throws, some of the lines may be stored; the next call is then `replace`.
   * @default `append` is called instead, and a message that a request brings takes two of them
   */
  write?(lines: readonly string[]): void;
  /** See `write`; a store has both, or neither. After a rejection the next call is `replace`. */
  flush?(): Promise<void>;
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

/**
 * Stores the log in `inbound.jsonl`, mode 0600, in a folder that is created with mode 0700. If there is no log, the id of a row in
 * `cursor.json`, a file of the Python SDK, is the start position; that file is never written.
 */
export class FileInboundStore implements InboundStore {
  readonly path: string;
  readonly #log: PrivateLog;

  constructor(directory: string) {
    this.path = join(directory, 'inbound.jsonl');
    this.#log = new PrivateLog(this.path);
  }

  /** @throws MoleculeError `storage_failed` when a file exists and cannot be read. */
  async load(): Promise<readonly string[]> {
    const directory = dirname(this.path);
    await removeAbandonedTemporaries(directory);
    const lines =
      (await readPrivateLines(this.path)) ?? (await readPrivateLines(join(directory, 'cursor.json')));
    return lines ?? [];
  }

  /** @throws MoleculeError `storage_failed`, also if the file is missing. */
  async append(lines: readonly string[]): Promise<void> {
    this.write(lines);
    await this.flush();
  }

  /** @throws MoleculeError `storage_failed`, also if the file is missing. */
  write(lines: readonly string[]): void {
    for (const chunk of chunksOf(lines)) this.#log.write(chunk);
  }

  /** @throws MoleculeError `storage_failed`, also if the file was deleted or replaced since it was opened. */
  async flush(): Promise<void> {
    await this.#log.flush();
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

const BARE_ID = /^[\w.:-]{1,200}$/;

/** Reads a log. One that consists of an id is a cursor file: the id is the position. A log that cannot be read counts as empty. */
export async function loadLines(
  store: Pick<InboundStore, 'load'>,
  logger: Logger,
): Promise<readonly LedgerLine[]> {
  const stored = await store.load().catch((error: unknown) => {
    const text = 'The stored state cannot be read: starting with the messages that are not acknowledged.';
    logger.warn({ error }, text);
    return [];
  });
  const { lines, unreadable } = readLines(stored);
  if (unreadable > 0) {
    logger.warn({ lines: unreadable }, 'Part of the stored state is unreadable and was ignored.');
  }
  return lines;
}

/** `unreadable`: the number of invalid lines, except the last one, which a crash can cut short. */
function readLines(stored: readonly string[]): { readonly lines: LedgerLine[]; readonly unreadable: number } {
  const [first = ''] = stored;
  if (stored.length === 1 && BARE_ID.test(first.trim())) {
    return { lines: [{ acknowledged: first.trim() }], unreadable: 0 };
  }
  const lines: LedgerLine[] = [];
  let unreadable = 0;
  for (const [index, text] of stored.entries()) {
    const line = lineOf(text);
    if (line !== undefined) lines.push(line);
    else if (index === 0 || index < stored.length - 1) unreadable += 1;
  }
  return { lines, unreadable };
}

function lineOf(text: string): LedgerLine | undefined {
  try {
    return LedgerLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Returns the dead letters of an agent, oldest first. Works while the agent is running.
 * @throws the errors of `store.load()`.
 */
export async function listDeadLetters(store: Pick<InboundStore, 'load'>): Promise<readonly DeadLetter[]> {
  const letters = new Map<string, StoredDeadLetter>();
  for (const { letter, discarded } of readLines(await store.load()).lines) {
    letters.delete(letter?.activityId ?? discarded ?? '');
    if (letter !== undefined) letters.set(letter.activityId, letter);
  }
  return [...letters.values()].map(publicDeadLetter);
}

/** The log is replaced when the appended part is this many times the size of the last snapshot, within limits in characters. */
const COMPACT_FACTOR = 4;
const COMPACT_MIN_LENGTH = 256 * 1024;
const COMPACT_MAX_LENGTH = 64 * 1024 * 1024;

export interface LedgerLogOptions {
  readonly store: InboundStore;
  /** Is told once per outage that writing fails. */
  readonly observer: Pick<InboundObserver, 'degraded' | 'recovered'>;
}

/**
 * Writes the lines of a ledger to a store, which is closed with it. What is added before a flush begins shares it. The first flush of a process, the
 * first one after a failure, and one when the log has grown too long replace the log by a snapshot; therefore lines need not be buffered while
 * the store fails. Never rejects.
 */
export class LedgerLog {
  readonly #options: LedgerLogOptions;
  readonly #snapshot: () => readonly LedgerLine[];
  /** Lines that were not written yet. */
  #queue: string[] = [];
  #flushing: Promise<boolean> = Promise.resolve(true);
  #writing: Promise<boolean> | undefined;
  /** The flush that begins next, and what begins it when it waits for more. */
  #queued: Promise<boolean> | undefined;
  #beginQueued: (() => void) | undefined;
  /** Whether lines were written since the last flush began. */
  #isUnflushed = false;
  #mustReplace = true;
  #snapshotLength = 0;
  #appendedLength = 0;
  #isDegraded = false;
  #isClosed = false;

  /** @param snapshot the complete current state */
  constructor(options: LedgerLogOptions, snapshot: () => readonly LedgerLine[]) {
    this.#options = options;
    this.#snapshot = snapshot;
  }

  /** Adds a line, which is written before the next flush. Update the state of the snapshot before. Returns its length. */
  add(line: LedgerLine): number {
    const text = JSON.stringify(line);
    if (this.#isClosed) return text.length;
    this.#queue.push(text);
    this.#appendedLength += text.length + 1;
    return text.length;
  }

  /** Resolves with whether all lines survive the end of the process: soon if the store can write, else when they are flushed. */
  written(): Promise<boolean> {
    // Messages that begin together share the write.
    this.#writing ??= Promise.resolve().then(() => {
      this.#writing = undefined;
      return this.#writeQueue() || this.flush();
    });
    return this.#writing;
  }

  /**
   * Resolves with whether all lines are on disk.
   * @param waitsForMore whether the flush may begin in the next turn of the event loop: then messages share it with answers that are made at once
   */
  flush(waitsForMore = false): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (!waitsForMore) this.#beginQueued?.();
    if (this.#queued !== undefined) return this.#queued;
    if (this.#queue.length === 0 && !this.#isUnflushed && !this.#mustReplace) return this.#flushing;
    const begun: Promise<unknown> = waitsForMore ? this.#waitForMore(this.#flushing) : this.#flushing;
    const flush = begun.then(() => {
      this.#queued = undefined;
      this.#beginQueued = undefined;
      return this.#flush();
    });
    this.#queued = flush;
    this.#flushing = flush;
    return flush;
  }

  /** Like {@link flush}, and reduces the log to the current state, without texts of finished messages. */
  compact(): Promise<boolean> {
    if (this.#appendedLength > 0) this.#mustReplace = true;
    return this.flush();
  }

  /** Ignores all later lines, because another process may use the store from now on. */
  close(): void {
    this.#isClosed = true;
    const { store } = this.#options;
    void this.#flushing.then(() => store.close?.());
  }

  async #waitForMore(before: Promise<unknown>): Promise<void> {
    const more = new Promise<void>((resolve) => {
      this.#beginQueued = resolve;
      setImmediate(resolve);
    });
    await before;
    await more;
  }

  /** False when the store cannot write without waiting, or fails. */
  #writeQueue(): boolean {
    const { store } = this.#options;
    if (store.write === undefined || this.#mustReplace || this.#isClosed) return false;
    if (this.#queue.length === 0) return true;
    try {
      store.write(this.#queue);
    } catch {
      this.#mustReplace = true;
      return false;
    }
    this.#isUnflushed = true;
    this.#queue = [];
    return true;
  }

  async #append(): Promise<void> {
    const { store } = this.#options;
    if (store.flush === undefined) {
      const lines = this.#queue;
      this.#queue = [];
      await store.append(lines);
    } else if (this.#writeQueue()) {
      this.#isUnflushed = false;
      await store.flush();
    }
  }

  async #flush(): Promise<boolean> {
    if (this.#isClosed) return false;
    const { store, observer } = this.#options;
    if (!this.#mustReplace) {
      await this.#append().catch(() => {
        this.#mustReplace = true;
      });
    }
    if (this.#mustReplace) {
      try {
        // The snapshot includes the lines queued in the meantime.
        this.#queue = [];
        this.#isUnflushed = false;
        this.#appendedLength = 0;
        const all = this.#snapshot().map((line) => JSON.stringify(line));
        await store.replace(all);
        this.#mustReplace = false;
        this.#snapshotLength = all.reduce((sum, line) => sum + line.length + 1, 0);
      } catch (error) {
        if (!this.#isDegraded) observer.degraded('storage', error);
        this.#isDegraded = true;
        return false;
      }
    }
    if (this.#isDegraded) observer.recovered('storage');
    this.#isDegraded = false;
    const most = Math.min(COMPACT_FACTOR * this.#snapshotLength, COMPACT_MAX_LENGTH);
    this.#mustReplace = this.#appendedLength > Math.max(COMPACT_MIN_LENGTH, most);
    return true;
  }
}
