import type { PlatformContext } from '../context.ts';
import type { TokenHolder } from '../http/principal.ts';
import { type Clock, timestamp } from '../time/clock.ts';

const LIFETIME_MS = 30_000;
const MAX_ENTRIES = 10_000;

/** Caches the holders of tokens for 30 s, so that a request needs no query; a revoked token is removed at once. */
export class TokenCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { holder: TokenHolder; expiresAt: number }>();
  #generation = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Changes with each removal. A holder that was read before a removal must not be cached after it. */
  get generation(): number {
    return this.#generation;
  }

  get(hash: string): TokenHolder | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > this.#clock.monotonic()) return entry.holder;
    this.#entries.delete(hash);
    return undefined;
  }

  remember(hash: string, holder: TokenHolder, generation: number): void {
    if (generation !== this.#generation) return;
    this.#entries.delete(hash);
    this.#entries.set(hash, { holder, expiresAt: this.#clock.monotonic() + LIFETIME_MS });
    if (this.#entries.size <= MAX_ENTRIES) return;
    const oldest = this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  forgetWorkspaces(workspaceIds: readonly string[]): void {
    this.#generation += 1;
    const gone = new Set(workspaceIds);
    for (const [hash, { holder }] of this.#entries) {
      if (gone.has(holder.workspaceId)) this.#entries.delete(hash);
    }
  }
}

const WRITE_AFTER_MS = 60_000;

/** Collects when tokens were last used and stores it once a minute, all in one transaction. */
export class TokenUsage {
  readonly #options: Pick<PlatformContext, 'clock' | 'database' | 'logger'>;
  #pending = new Map<string, string>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'logger'>) {
    this.#options = options;
  }

  record(tokenId: string): void {
    const { clock } = this.#options;
    this.#pending.set(tokenId, timestamp(clock));
    this.#cancelTimer ??= clock.schedule(WRITE_AFTER_MS, () => void this.flush());
  }

  /** When the token was last used, if that is not stored yet. */
  lastUsed(tokenId: string): string | undefined {
    return this.#pending.get(tokenId);
  }

  /** Stores what is pending. Never rejects: a lost time of use does no harm. */
  async flush(): Promise<void> {
    const { database, logger } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const used = this.#pending;
    this.#pending = new Map();
    if (used.size === 0) return;
    try {
      await database.transaction(async ({ trx }) => {
        for (const [tokenId, last_used_at] of used) {
          await trx.updateTable('workspace_tokens').set({ last_used_at }).where('id', '=', tokenId).execute();
        }
      });
    } catch (error) {
      logger.warn({ reason: String(error) }, 'Failed to store when tokens were last used');
    }
  }
}
