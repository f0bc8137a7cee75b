import type { InboundMessage } from '@molecule-ai/protocol';
import { z } from 'zod';
import { LazyMap } from '../../collections/lazy-map.ts';
import { MessageProgress } from './message-progress.ts';

const MAX_LETTERS = 1_000;
/** Of all dead letters together, as JSON. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/** A dead letter as it is stored. */
export const StoredDeadLetter = z.object({
  activityId: z.string(),
  messageId: z.string(),
  sourceId: z.string(),
  stage: z.enum(['handler', 'reply']),
  attempts: z.int().min(0),
  errorCode: z.string(),
  at: z.string(),
  message: z.custom<InboundMessage>(isMessage).nullable().default(null),
  /** What a replay need not do again. */
  progress: MessageProgress.nullable().default(null),
});
export type StoredDeadLetter = Readonly<z.output<typeof StoredDeadLetter>>;

/** A message that was given up. */
export interface DeadLetter {
  readonly activityId: string;
  readonly messageId: string;
  readonly sourceId: string;
  /** What failed: the handler, or sending its answer. */
  readonly stage: 'handler' | 'reply';
  readonly attempts: number;
  /** The code of the last error; `handler_failed` for an error without one. */
  readonly errorCode: string;
  /** When it was given up, RFC 3339. */
  readonly at: string;
  /** The message itself, for a replay; untrusted. `null` if it was too large to read, and in letters of older versions of this package. */
  readonly message: InboundMessage | null;
}

/** The dead letters of an agent, oldest first; at most 1 000 and 8 Mi characters, the oldest are dropped first. */
export class DeadLetterList {
  readonly #letters = new LazyMap<string, { readonly letter: StoredDeadLetter; readonly size: number }>();
  #size = 0;

  get count(): number {
    return this.#letters.size;
  }

  get all(): readonly StoredDeadLetter[] {
    return [...this.#letters.values()].map(({ letter }) => letter);
  }

  find(activityId: string): StoredDeadLetter | undefined {
    return this.#letters.get(activityId)?.letter;
  }

  /** Adds a letter in place of an earlier one of the same message; returns how many were dropped for it. */
  add(letter: StoredDeadLetter): number {
    this.remove(letter.activityId);
    const size = JSON.stringify(letter).length;
    this.#letters.set(letter.activityId, { letter, size });
    this.#size += size;
    let dropped = 0;
    for (const activityId of this.#letters.keys()) {
      const isWithinBounds = this.#letters.size <= MAX_LETTERS && this.#size <= MAX_CHARACTERS;
      if (isWithinBounds || this.#letters.size === 1) break;
      this.remove(activityId);
      dropped += 1;
    }
    return dropped;
  }

  remove(activityId: string): boolean {
    const entry = this.#letters.get(activityId);
    if (entry === undefined) return false;
    this.#size -= entry.size;
    return this.#letters.delete(activityId);
  }
}

/** The public view of a stored letter. */
export function publicDeadLetter({ progress: _progress, ...letter }: StoredDeadLetter): DeadLetter {
  return letter;
}

function isMessage(value: unknown): value is InboundMessage {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'id') === 'string';
}
