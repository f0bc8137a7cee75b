import { createHash } from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';

const DEFAULT_CAPACITY = 1_000;

/** A bounded memory of finished messages, by row and by sender's message id. */
export class RecentMessages {
  readonly #keys: Set<string>;
  readonly #capacity: number;

  /** @param keys What an earlier run remembered, oldest first. */
  constructor(keys: Iterable<string> = [], capacity = DEFAULT_CAPACITY) {
    this.#keys = new Set(keys);
    this.#capacity = capacity;
    this.#shrink();
  }

  has(key: string | null): boolean {
    return key !== null && this.#keys.has(key);
  }

  remember(...keys: readonly (string | null)[]): void {
    for (const key of keys) {
      if (key === null) continue;
      this.#keys.delete(key);
      this.#keys.add(key);
    }
    this.#shrink();
  }

  /** Oldest first. */
  list(): string[] {
    return [...this.#keys];
  }

  #shrink(): void {
    for (const key of this.#keys) {
      if (this.#keys.size <= this.#capacity) return;
      this.#keys.delete(key);
    }
  }
}

/**
 * What makes two rows the same message: sender, method and the sender's message id (decision 10). `null` when the
 * message has no id of its own. The method counts, because a cancellation may repeat the id it cancels.
 */
export function senderKey(message: InboundMessage): string | null {
  if (message.messageId === '') return null;
  const parts = [message.source, message.sourceId, message.method, message.inReplyTo, message.messageId];
  return `m:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)}`;
}
