import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { storageFailure } from './private-file.ts';

const { constants, fstatSync } = fs;
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | (process.platform === 'win32' ? 0 : constants.O_NOFOLLOW);
// Descriptors and not `FileHandle`s, which take longer and must not be left to the garbage collector.
const open = promisify(fs.open);
const write = promisify(fs.write);
const flush = promisify(fs.fdatasync);
const close = promisify(fs.close);

/** Appends to an existing private file, which stays open between two appends. Calls must not overlap. */
export class PrivateLog {
  readonly path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Appends text and flushes it to disk. After a crash or a failure, part of it can be at the end of the file. A file that is
   * missing, or was deleted or replaced since, is an error, because the appended text depends on the earlier content.
   * @throws MoleculeError `storage_failed`
   */
  async append(text: string): Promise<void> {
    try {
      this.#descriptor ??= await open(this.path, FLAGS);
      const descriptor = this.#descriptor;
      // Of an open file this takes a microsecond.
      if (fstatSync(descriptor).nlink === 0) throw new Error('The file was deleted or replaced.');
      const bytes = Buffer.from(text, 'utf8');
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await write(descriptor, bytes, done);
        done += bytesWritten;
      }
      await flush(descriptor);
    } catch (cause) {
      await this.close();
      throw storageFailure('Cannot write the file', this.path, cause);
    }
  }

  /** Closes the file; the next append opens it again. Never rejects. */
  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) await close(descriptor).catch(() => {});
  }
}
