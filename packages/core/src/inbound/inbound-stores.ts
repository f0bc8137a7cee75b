import { join } from 'node:path';
import type { CursorStore } from './cursor-store.ts';
import { type DeadLetterStore, FileDeadLetterStore, MemoryDeadLetterStore } from './dead-letter-store.ts';
import { FileCursorStore } from './file-cursor-store.ts';
import { FileMessageJournal } from './file-message-journal.ts';
import { MemoryCursorStore } from './memory-cursor-store.ts';
import { MemoryMessageJournal } from './memory-message-journal.ts';
import type { MessageJournal } from './message-journal.ts';

/** The three things inbound delivery keeps. */
export interface InboundStores {
  readonly cursor: CursorStore;
  readonly journal: MessageJournal;
  readonly deadLetters: DeadLetterStore;
}

/** Files in a folder: `cursor.json`, `journal/`, `dead-letters.json`. */
export function fileStores(directory: string): InboundStores {
  return {
    cursor: new FileCursorStore(join(directory, 'cursor.json')),
    journal: new FileMessageJournal(join(directory, 'journal')),
    deadLetters: new FileDeadLetterStore(join(directory, 'dead-letters.json')),
  };
}

/** Nothing on disk: after a restart the platform's own position counts. */
export function memoryStores(): InboundStores {
  return {
    cursor: new MemoryCursorStore(),
    journal: new MemoryMessageJournal(),
    deadLetters: new MemoryDeadLetterStore(),
  };
}
