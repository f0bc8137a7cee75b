import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { MemorySaver } from '@langchain/langgraph';

/** A checkpointer in one file, so that the example needs no database. */
export class FileSaver extends MemorySaver {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
    if (!existsSync(file)) return;
    const { storage, writes } = deserialize(readFileSync(file));
    Object.assign(this.storage, storage);
    Object.assign(this.writes, writes);
  }

  override async put(...args: Parameters<MemorySaver['put']>): ReturnType<MemorySaver['put']> {
    const config = await super.put(...args);
    this.#save();
    return config;
  }

  override async putWrites(...args: Parameters<MemorySaver['putWrites']>): Promise<void> {
    await super.putWrites(...args);
    this.#save();
  }

  #save(): void {
    const written = `${this.#file}.new`;
    writeFileSync(written, serialize({ storage: { ...this.storage }, writes: { ...this.writes } }));
    renameSync(written, this.#file);
  }
}
