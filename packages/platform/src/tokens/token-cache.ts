import type { TokenHolder } from '../http/credential-source.ts';
import type { Clock } from '../time/clock.ts';

const LIFETIME_MS = 30_000;
const MAX_ENTRIES = 10_000;

/** Remembers the holders of tokens for a short time, so that a request costs no look-up. Forgets at once when told. */
export class TokenCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { holder: TokenHolder; expiresAt: number }>();
  #generation = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Changes whenever something was forgotten; a look-up that began before must not be remembered after. */
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
