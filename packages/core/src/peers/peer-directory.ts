import { LatestMap } from '../storage/latest-map.ts';
import type { Clock } from '../time/clock.ts';

/** Platforms name the containers that they run after the workspace; outside of their network the name does not resolve. */
const CONTAINER = /^ws-[0-9a-f]{8}(?:-[0-9a-f]+)*$/i;
/** A peer without a server may get one. */
const NO_URL_MS = 60_000;

export interface PeerDirectoryOptions {
  clock: Clock;
  /** How long a URL is cached, in milliseconds. */
  ttlMs: number;
  /** Maximum number of cached peers; the least recently used one is evicted first. */
  maxEntries: number;
}

/** Where a peer can be called. */
export interface PeerAddress {
  /** `null` when it has no http or https URL that can be reached from here. */
  readonly url: string | null;
  /** The credential for direct calls of this peer. */
  readonly peerToken: string | undefined;
  /** Whether the platform was asked for a token; the list of peers has none. */
  readonly isDiscovered: boolean;
}

/** What the platform says of a peer. */
export interface DiscoveredPeer {
  readonly url: string;
  readonly peerToken?: string | undefined;
  /** How long the token may be used, in milliseconds. */
  readonly tokenTtlMs?: number | undefined;
}

interface Entry extends PeerAddress {
  readonly expiresAt: number;
}

/** Caches where peers can be called, in memory, for the shorter of the lifetimes of URL and token. */
export class PeerDirectory {
  readonly #options: PeerDirectoryOptions;
  readonly #entries: LatestMap<Entry>;
  /** Until when a peer is not called directly, because that failed. */
  readonly #avoided: LatestMap<number>;

  constructor(options: PeerDirectoryOptions) {
    this.#options = options;
    this.#entries = new LatestMap(options.maxEntries);
    this.#avoided = new LatestMap(options.maxEntries);
  }

  /** Returns what is cached, or `undefined` if there is nothing or it has expired. */
  find(peerId: string): PeerAddress | undefined {
    const key = peerId.toLowerCase();
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    if (entry === undefined || entry.expiresAt <= this.#now) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  /** Caches what a lookup returned. Any other URL than one of http or https, and that of a container, counts as none. */
  remember(
    peerId: string,
    { url, peerToken, tokenTtlMs = 0 }: DiscoveredPeer,
    isDiscovered = true,
  ): PeerAddress {
    const usable = isHttpUrl(url) ? url : null;
    const { ttlMs } = this.#options;
    const limitMs = usable === null ? NO_URL_MS : peerToken === undefined ? ttlMs : tokenTtlMs;
    const address = { url: usable, peerToken: usable === null ? undefined : peerToken, isDiscovered };
    const entry = { ...address, expiresAt: this.#now + Math.min(ttlMs, limitMs) };
    this.#entries.set(peerId.toLowerCase(), entry);
    return entry;
  }

  /** Caches a URL from the list of peers, which names no tokens: what a lookup returned is kept unless the URL changed. */
  rememberListed(peerId: string, url: string): void {
    const known = this.find(peerId);
    if (known === undefined || known.url !== (isHttpUrl(url) ? url : null)) {
      this.remember(peerId, { url }, false);
    }
  }

  /** Calls the peer through the platform for a while. */
  avoid(peerId: string, ms: number): void {
    this.#avoided.set(peerId.toLowerCase(), this.#now + ms);
  }

  isAvoided(peerId: string): boolean {
    const until = this.#avoided.get(peerId.toLowerCase());
    return until !== undefined && until > this.#now;
  }

  /** Removes all that is known of a peer. */
  forget(peerId: string): void {
    this.#entries.delete(peerId.toLowerCase());
    this.#avoided.delete(peerId.toLowerCase());
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text) && !CONTAINER.test(new URL(text).hostname);
}
