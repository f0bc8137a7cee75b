import type { LogEntry } from '@molecule-tests/harness';
import { JournalReader } from './journal.ts';
import type { Member } from './organisation.ts';
import type { LearnedBy } from './sending.ts';

/** An end that a sender noted. */
export interface LearnedEnd {
  readonly by: LearnedBy;
  readonly status: string;
  readonly code: string | null;
  readonly text: string | null;
}

/** A row of its own feed that the handler of a sender got. */
export interface HandledRow {
  readonly rowId: string;
  readonly attempt: number;
}

/** What the processes of a run noted, by the id of the message. */
export class RunLog {
  readonly accepted = new Set<string>();
  readonly learned = new Map<string, LearnedEnd[]>();
  readonly rows = new Map<string, HandledRow[]>();
  readonly done = new Set<string>();
  /** The senders that were killed at least once. */
  readonly restarted = new Set<string>();
  /** How often an agent began to handle a message. */
  readonly runs = new Map<string, number>();
  /** The messages of each target, in the order in which they were first handled. */
  readonly firstRuns = new Map<string, string[]>();
  readonly #readers = new Map<string, JournalReader>();

  constructor(members: readonly Member[]) {
    for (const { name, journal } of members) this.#readers.set(name, new JournalReader(journal));
  }

  /** Takes in what was noted since the last call. */
  read(): void {
    for (const [name, reader] of this.#readers) {
      for (const entry of reader.readNew()) this.add(name, entry);
    }
  }

  add(member: string, entry: LogEntry): void {
    const id = String(entry.id);
    switch (entry.event) {
      case 'accepted':
        this.accepted.add(id);
        return;
      case 'learned':
        append(this.learned, id, {
          by: entry.by as LearnedBy,
          status: String(entry.status),
          code: typeof entry.code === 'string' ? entry.code : null,
          text: typeof entry.text === 'string' ? entry.text : null,
        });
        return;
      case 'row':
        append(this.rows, id, { rowId: String(entry.rowId), attempt: Number(entry.attempt) });
        return;
      case 'run':
        if (!this.runs.has(id)) append(this.firstRuns, member, id);
        this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
        return;
      case 'continued':
        this.restarted.add(member);
        return;
      case 'done':
        this.done.add(id);
        return;
      default:
    }
  }
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
