import type { Clock } from '../time/clock.ts';

/** Platforms name the containers that they run after the workspace; outside of their network the name does not resolve. */
const CONTAINER = /^ws-[0-9a-f]{8}(?:-[0-9a-f]+)*$/i;

export interface PeerDirectoryOptions {
  clock: Clock;
  /** How long a URL is cached, in milliseconds. */
  ttlMs: number;
  /** Maximum number of cached URLs; the least recently used one is evicted first. */
  maxEntries: number;
}

/** Caches the http and https URLs of peers, in memory, for a limited time. */
export class PeerDirectory {
  readonly #options: PeerDirectoryOptions;
  readonly #entries = new Map<string, { url: string; expiresAt: number }>();

  constructor(options: PeerDirectoryOptions) {
    this.#options = options;
  }

  /** Returns the cached URL, or `undefined` if there is none or it has expired. */
  find(peerId: string): string | undefined {
    const key = peerId.toLowerCase();
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAt <= this.#options.clock.monotonic()) return undefined;
    this.#entries.set(key, entry);
    return entry.url;
  }

  /** Caches and returns the URL; returns `undefined` if it is not an http or https URL, or names a container. */
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

  /** Removes a peer, if it is cached. */
  forget(peerId: string): void {
    this.#entries.delete(peerId.toLowerCase());
  }
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text) && !CONTAINER.test(new URL(text).hostname);
}
