import { isJsonObject, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerIdentities } from '../peers/peer-identities.ts';
import type { PlatformApi } from '../platform-api/platform-api.ts';
import type { ClientSettings } from '../settings/client-settings.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { orAborted, withDeadline } from '../time/linked-abort.ts';
import { headerOf } from '../transport/http-response.ts';
import type { PeerServer } from '../transport/peer-transport.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { CallLimits } from './current-message.ts';

/** Longer, and the message goes through the platform while the lookup goes on. */
const LOOKUP_MS = 5_000;
/** A token is replaced so long before it expires. */
const TOKEN_RESERVE_MS = 60_000;
/** Of a platform that does not say when a token expires, or not in a readable way. */
const TOKEN_TTL_MS = 240_000;

/** Platforms name the containers that they run after the workspace; outside of their network the name does not resolve. */
const CONTAINER = /^ws-[0-9a-f]{8}(?:-[0-9a-f]+)*$/i;
/** A peer without a server may get one. */
const NO_URL_MS = 60_000;

/** Where a peer can be called. */
export interface PeerAddress {
  /** `null` when it has no http or https URL that can be reached from here. */
  readonly server: PeerServer | null;
  /** The credential for direct calls of this peer. */
  readonly peerToken: string | undefined;
}

interface Entry extends PeerAddress {
  /** The URL as the platform wrote it. */
  readonly text: string | null;
  /** Whether the platform was asked for a token; the list of peers has none. */
  readonly isDiscovered: boolean;
  readonly expiresAt: number;
}

/**
 * Asks the platform where peers can be called, at most once at a time for each of them. Caches that, in memory, for the shorter of the
 * lifetimes of URL and token.
 */
export class PeerLookup {
  readonly #api: PlatformApi;
  readonly #identities: PeerIdentities;
  readonly #ttlMs: number;
  readonly #entries: LatestMap<Entry>;
  /** Until when a peer is not called directly, because that failed. */
  readonly #avoided: LatestMap<number>;
  readonly #pending = new Map<string, Promise<Entry>>();

  constructor(
    api: PlatformApi,
    identities: PeerIdentities,
    { peerCacheTtlMs, peerCacheSize }: Pick<ClientSettings, 'peerCacheTtlMs' | 'peerCacheSize'>,
  ) {
    this.#api = api;
    this.#identities = identities;
    this.#ttlMs = peerCacheTtlMs;
    this.#entries = new LatestMap(peerCacheSize);
    this.#avoided = new LatestMap(peerCacheSize);
  }

  /**
   * Asks, compares the peer with what it was, and caches the response. An abort ends only the waiting of this caller.
   * @throws ApiError; MoleculeError `peer_changed` where changes block calls.
   */
  async #discover(peerId: string, signal: AbortSignal | undefined, isRetried: boolean): Promise<Entry> {
    signal?.throwIfAborted();
    const key = `${peerId.toLowerCase()} ${isRetried}`;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#ask(peerId, isRetried).finally(() => this.#pending.delete(key));
      pending.catch(() => {});
      this.#pending.set(key, pending);
    }
    return signal === undefined ? pending : orAborted(pending, signal);
  }

  /**
   * Where the peer can be called. `null` when the platform does not say it at the first attempt, or in time: its own error, if it has
   * one, follows from the call through it, which is retried.
   * @throws MoleculeError `peer_changed`; an abort.
   */
  async addressOf(peerId: string, { signal, timeoutMs }: CallLimits): Promise<PeerAddress | null> {
    const known = this.#find(peerId);
    if (known !== undefined && (known.isDiscovered || known.server === null)) return known;
    const { clock, logger } = this.#api.settings;
    const limits = { clock, timeoutMs: Math.min(LOOKUP_MS, timeoutMs / 2), what: 'Finding a peer', signal };
    try {
      return await withDeadline(limits, (inner) => this.#discover(peerId, inner, false));
    } catch (error) {
      signal?.throwIfAborted();
      if (MoleculeError.isInstance(error) && error.code === 'peer_changed') throw error;
      logger.debug({ peerId, error }, 'A peer could not be looked up: it is called through the platform.');
      return null;
    }
  }

  /** The peer's URL, cached for a limited time; `null` when the platform knows none, or the peer polls. */
  async urlOf(peerId: string, { signal }: CallOptions): Promise<string | null> {
    const known = this.#find(peerId)?.text;
    if (known) return known;
    try {
      return (await this.#discover(peerId, signal, true)).text;
    } catch (error) {
      // The peer is unknown or not running. A 404 without an error code comes from a gateway and means neither.
      const isUnknown = ApiError.isInstance(error) && error.status === 404 && error.code === 'not_found';
      const isAway =
        ApiError.isInstance(error) && error.status === 503 && typeof error.details?.status === 'string';
      if (isUnknown || isAway) return null;
      throw error;
    }
  }

  /**
   * Looks the peer up if nothing is cached, and fails only when it has changed, or the platform does not respond.
   * @throws MoleculeError `peer_changed`; ConnectionError, TimeoutError.
   */
  async verify(peerId: string, { signal }: CallOptions): Promise<void> {
    if (this.#find(peerId)?.isDiscovered === true) return;
    await this.#discover(peerId, signal, true).catch((error: unknown) => {
      // The call through the platform says why.
      if (!ApiError.isInstance(error)) throw error;
    });
  }

  async #ask(peerId: string, isRetried: boolean): Promise<Entry> {
    const input = { params: { id: peerId }, isRepeatable: isRetried };
    const response = await this.#api.send(routes.discover, input).catch(async (error: unknown) => {
      // A peer that cannot be looked up now is still the one that was refused.
      await this.#identities.checkRefused(peerId);
      throw error;
    });
    const found = this.#api.parse(routes.discover, input, response);
    const { name, agent_card: card, delivery_mode: mode } = found;
    const { peer_token: peerToken, peer_token_expires_at: expiresAt } = found;
    // For a peer that polls, the platform names its own route, for clients that know no other way.
    const url = mode === 'poll' ? '' : found.url;
    await this.#identities.check(peerId, {
      url: url || null,
      name: name ?? null,
      card: isJsonObject(card) ? card : null,
    });
    // By the clock of the platform, if its response shows it: this machine's may be wrong.
    const date = Date.parse(headerOf(response, 'date') ?? '');
    const nowMs = Number.isNaN(date) ? this.#api.settings.clock.now() : date;
    const untilMs = Date.parse(expiresAt ?? '') - nowMs - TOKEN_RESERVE_MS;
    const tokenTtlMs = Number.isNaN(untilMs) ? TOKEN_TTL_MS : untilMs;
    return this.#remember(peerId, url, { peerToken, tokenTtlMs });
  }

  /** Caches a URL from the list of peers, which names no tokens: what a lookup returned is kept unless the URL changed. */
  rememberListed(peerId: string, url: string): void {
    const known = this.#find(peerId);
    if (known === undefined || known.text !== (usableUrl(url) && url)) this.#remember(peerId, url);
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

  #find(peerId: string): Entry | undefined {
    const key = peerId.toLowerCase();
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt <= this.#now) {
      this.#entries.delete(key);
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** @param discovered what the platform said when it was asked for a token */
  #remember(
    peerId: string,
    text: string,
    discovered?: { readonly peerToken: string | undefined; readonly tokenTtlMs: number },
  ): Entry {
    const url = usableUrl(text);
    const peerToken = url === null ? undefined : discovered?.peerToken;
    const tokenMs = peerToken === undefined ? this.#ttlMs : (discovered?.tokenTtlMs ?? 0);
    const expiresAt = this.#now + Math.min(this.#ttlMs, url === null ? NO_URL_MS : tokenMs);
    const server = url && { origin: url.origin, path: url.pathname + url.search };
    const entry = { server, text: url && text, peerToken, isDiscovered: discovered !== undefined, expiresAt };
    this.#entries.set(peerId.toLowerCase(), entry);
    return entry;
  }

  get #now(): number {
    return this.#api.settings.clock.monotonic();
  }
}

/** Any other URL than one of http or https, and that of a container, counts as none. */
function usableUrl(text: string): URL | null {
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
  return url === null || CONTAINER.test(url.hostname) ? null : url;
}
