import type { TokenHolder } from '../http/callers.ts';
import type { PlatformLogger } from '../logging/logger.ts';
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
  readonly #clock: Clock;
  readonly #logger: PlatformLogger;
  readonly #write: (used: ReadonlyMap<string, string>) => Promise<void>;
  #pending = new Map<string, string>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: PlatformLogger;
    /** Stores the time of last use by token id. */
    readonly write: (used: ReadonlyMap<string, string>) => Promise<void>;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#write = options.write;
  }

  record(tokenId: string): void {
    this.#pending.set(tokenId, timestamp(this.#clock));
    this.#cancelTimer ??= this.#clock.schedule(WRITE_AFTER_MS, () => void this.flush());
  }

  /** When the token was last used, if that is not stored yet. */
  lastUsed(tokenId: string): string | undefined {
    return this.#pending.get(tokenId);
  }

  /** Stores what is pending. Never rejects: a lost time of use does no harm. */
  async flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const used = this.#pending;
    this.#pending = new Map();
    if (used.size === 0) return;
    try {
      await this.#write(used);
    } catch (error) {
      this.#logger.warn({ reason: String(error) }, 'Failed to store when tokens were last used');
    }
  }
}
