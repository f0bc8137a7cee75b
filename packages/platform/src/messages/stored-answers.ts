import type { Clock } from '../time/clock.ts';
import { isSmall, type MemoryShare, NO_SHARE, ResponseMemory } from '../waiting/response-memory.ts';
import type { MessageRow, MessageStore } from './message.store.ts';

/** Memory for each byte of a stored answer while a response is made of it: it is parsed, and its text may be there twice. */
const MEMORY_FACTOR = 2;

/** A message as it was read, without an answer that is large. */
export interface ReadMessage {
  readonly message: MessageRow;
  /** The size of the answer that was left out; 0 when none was. */
  readonly omittedBytes: number;
}

/** A message with its answer. Release the memory of the answer when the response with it was written. */
export interface HeldMessage {
  readonly message: MessageRow;
  readonly share: MemoryShare;
}

/**
 * Reads messages with their answers for those who ask for them. A large answer is read only while there is memory for the
 * response: whoever waits for that keeps none of it.
 */
export class StoredAnswers {
  readonly #store: MessageStore;
  readonly #memory: ResponseMemory;

  constructor({ clock, store }: { readonly clock: Clock; readonly store: MessageStore }) {
    this.#store = store;
    this.#memory = new ResponseMemory({ clock });
  }

  async read(id: string): Promise<ReadMessage | undefined> {
    const message = await this.#store.findWithAnswer(id);
    return message && withoutLargeAnswer(message);
  }

  /** A message that was found, with its answer where that is stored with another one. */
  async readAnswerOf(message: MessageRow): Promise<ReadMessage> {
    return withoutLargeAnswer(await this.#store.withAnswer(message));
  }

  /**
   * A message with its answer, also a large one; undefined when it was deleted since. `reader` names whose responses are
   * counted together. @throws HttpError 503 `platform_unavailable` when there is no memory for 10 s.
   */
  async hold(
    reader: string,
    { message: known, omittedBytes }: ReadMessage,
  ): Promise<HeldMessage | undefined> {
    if (omittedBytes === 0) return { message: known, share: NO_SHARE };
    const share = await this.#memory.reserve(reader, omittedBytes * MEMORY_FACTOR);
    try {
      const message = await this.#store.findWithAnswer(known.id);
      if (message !== undefined) return { message, share };
    } catch (error) {
      share.release();
      throw error;
    }
    share.release();
    return undefined;
  }
}

/** Whose responses are counted together: those to a workspace, and of operators those about one workspace. */
export function readerOf(callerId: string | null, workspaceId: string): string {
  return callerId ?? `operators:${workspaceId}`;
}

export function withoutAnswer(message: MessageRow): MessageRow {
  return { ...message, response_body: null };
}

function withoutLargeAnswer(message: MessageRow): ReadMessage {
  const bytes = message.response_body?.length ?? 0;
  return isSmall(bytes)
    ? { message, omittedBytes: 0 }
    : { message: withoutAnswer(message), omittedBytes: bytes };
}
