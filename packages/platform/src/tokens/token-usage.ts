import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { writeLastUsed } from './tokens.store.ts';

const FLUSH_EVERY_MS = 60_000;

/** Collects when tokens were last used and writes it from time to time, in one transaction. */
export class TokenUsage {
  readonly #context: PlatformContext;
  readonly #pending = new Map<string, string>();
  #cancelTimer: (() => void) | undefined;

  constructor(context: PlatformContext) {
    this.#context = context;
  }

  note(tokenId: string): void {
    this.#pending.set(tokenId, timestamp(this.#context.clock));
    this.#cancelTimer ??= this.#context.clock.schedule(FLUSH_EVERY_MS, () => void this.flush());
  }

  /** When the token was last used, if that is not written yet. */
  lastUsed(tokenId: string): string | undefined {
    return this.#pending.get(tokenId);
  }

  /** Writes what is pending. Never throws: a lost time stamp harms nobody. */
  async flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const used = [...this.#pending];
    this.#pending.clear();
    if (used.length === 0) return;
    try {
      await this.#context.database.transaction(async ({ trx }) => {
        for (const [tokenId, usedAt] of used) await writeLastUsed(trx, tokenId, usedAt);
      });
    } catch (error) {
      this.#context.logger.warn({ reason: String(error) }, 'Could not write when tokens were last used.');
    }
  }
}
