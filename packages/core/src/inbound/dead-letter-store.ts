import { z } from 'zod';
import { readPrivateFile, writePrivateFile } from '../storage/private-file.ts';

const MAX_RECORDS = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;

const DeadLetterRecordShape = z.object({
  activityId: z.string(),
  messageId: z.string(),
  sourceId: z.string(),
  stage: z.enum(['handler', 'reply']),
  attempts: z.int().min(0),
  errorCode: z.string(),
  at: z.string(),
});

/** A message that was given up. Ids and an error code: its text stays on the platform. */
export type DeadLetterRecord = Readonly<z.output<typeof DeadLetterRecordShape>>;

/** Where given-up messages are noted. */
export interface DeadLetterStore {
  append(record: DeadLetterRecord): Promise<void>;
  /** Oldest first. */
  list(): Promise<readonly DeadLetterRecord[]>;
}

/** A {@link DeadLetterStore} that forgets with the process; keeps the last 1 000. */
export class MemoryDeadLetterStore implements DeadLetterStore {
  readonly #records: DeadLetterRecord[] = [];

  async append(record: DeadLetterRecord): Promise<void> {
    this.#records.push(record);
    if (this.#records.length > MAX_RECORDS) this.#records.shift();
  }

  async list(): Promise<readonly DeadLetterRecord[]> {
    return [...this.#records];
  }
}

/** Notes them in one JSON file of mode 0600; keeps the last 1 000. */
export class FileDeadLetterStore implements DeadLetterStore {
  readonly path: string;
  #tail: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  append(record: DeadLetterRecord): Promise<void> {
    const next = this.#tail.then(async () => {
      const records = [...(await this.list()), record].slice(-MAX_RECORDS);
      await writePrivateFile(this.path, `${JSON.stringify(records, null, 1)}\n`);
    });
    this.#tail = next.catch(() => {});
    return next;
  }

  /** An unreadable file counts as empty: a new record matters more than a damaged list. */
  async list(): Promise<readonly DeadLetterRecord[]> {
    try {
      const text = await readPrivateFile(this.path, { maxBytes: MAX_BYTES });
      return text === undefined ? [] : z.array(DeadLetterRecordShape).parse(JSON.parse(text));
    } catch {
      return [];
    }
  }
}
