import { constants, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { storageFailure } from './private-file.ts';

const noFollow = process.platform === 'win32' ? 0 : constants.O_NOFOLLOW;

/** Appends to an existing private file, which stays open between two appends. Calls must not overlap. */
export class PrivateLog {
  readonly path: string;
  #file: FileHandle | undefined;

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
      this.#file ??= await open(this.path, constants.O_WRONLY | constants.O_APPEND | noFollow);
      const { fd } = this.#file;
      // Of an open file this asks no path, and so takes less than a turn through the thread pool.
      if (fstatSync(fd).nlink === 0) throw new Error('The file was deleted or replaced.');
      await writeAll(this.#file, Buffer.from(text, 'utf8'));
      await this.#file.datasync();
    } catch (cause) {
      await this.close();
      throw storageFailure('Cannot write the file', this.path, cause);
    }
  }

  /** Closes the file; the next append opens it again. Never rejects. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done);
    done += bytesWritten;
  }
}
