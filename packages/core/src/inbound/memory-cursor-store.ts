import type { CursorRecord, CursorStore } from './cursor-store.ts';

/** A {@link CursorStore} that forgets with the process; then the platform's own position counts. */
export class MemoryCursorStore implements CursorStore {
  #record: CursorRecord | undefined;

  constructor(record?: CursorRecord) {
    this.#record = record;
  }

  async load(): Promise<CursorRecord | undefined> {
    return this.#record;
  }

  async save(record: CursorRecord): Promise<void> {
    this.#record = structuredClone(record);
  }
}
