import type { Clock } from '../time/clock.ts';

/** Options of a {@link PeerDirectory}. */
export interface PeerDirectoryOptions {
  clock: Clock;
  /** How long an address is good for, in milliseconds. */
  ttlMs: number;
  /** How many addresses are kept; the least recently used one goes first. */
  maxEntries: number;
}

/** Remembers where peers are reached: in memory, for a limited time, http and https addresses only. */
export class PeerDirectory {
  readonly #options: PeerDirectoryOptions;
  readonly #entries = new Map<string, { url: string; expiresAt: number }>();

  constructor(options: PeerDirectoryOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The peer's address, unless it is unknown or too old. */
  find(peerId: string): string | undefined {
    const key = peerId.toLowerCase();
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAt <= this.#options.clock.monotonic()) return undefined;
    this.#entries.set(key, entry);
    return entry.url;
  }

  /** Keeps an address, or gives `undefined` when it is not an http or https URL. */
  remember(peerId: string, url: string): string | undefined {
    if (!isHttpUrl(url)) return undefined;
    const key = peerId.toLowerCase();
    this.#entries.delete(key);
    this.#entries.set(key, { url, expiresAt: this.#options.clock.monotonic() + this.#options.ttlMs });
    while (this.#entries.size > this.#options.maxEntries) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) break;
      this.#entries.delete(oldest);
    }
    return url;
  }

  /** Forgets a peer; a peer that is not known is fine. */
  forget(peerId: string): void {
    this.#entries.delete(peerId.toLowerCase());
  }
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}
