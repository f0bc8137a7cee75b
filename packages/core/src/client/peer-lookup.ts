import { isJsonObject, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerAddress, PeerDirectory } from '../peers/peer-directory.ts';
import type { PeerIdentities } from '../peers/peer-identities.ts';
import { parseResponse, send } from '../platform-api/call.ts';
import { orAborted, withDeadline } from '../time/linked-abort.ts';
import { headerOf } from '../transport/http-response.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import type { CallLimits } from './current-message.ts';

/** Longer, and the message goes through the platform while the lookup goes on. */
const LOOKUP_MS = 5_000;
/** A token is replaced so long before it expires. */
const TOKEN_RESERVE_MS = 60_000;
/** Of a platform that does not say when a token expires, or not in a readable way. */
const TOKEN_TTL_MS = 240_000;

/** Asks the platform where peers can be called, at most once at a time for each of them. */
export class PeerLookup {
  readonly #transport: Transport;
  readonly #directory: PeerDirectory;
  readonly #identities: PeerIdentities;
  readonly #pending = new Map<string, Promise<PeerAddress>>();

  constructor(transport: Transport, directory: PeerDirectory, identities: PeerIdentities) {
    this.#transport = transport;
    this.#directory = directory;
    this.#identities = identities;
  }

  /**
   * Asks, compares the peer with what it was, and caches the response. An abort ends only the waiting of this caller.
   * @throws ApiError; MoleculeError `peer_changed` where changes block calls.
   */
  async #discover(peerId: string, signal: AbortSignal | undefined, isRetried: boolean): Promise<PeerAddress> {
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

  /** What is cached of where the peer can be called. */
  known(peerId: string): PeerAddress | undefined {
    const known = this.#directory.find(peerId);
    return known !== undefined && (known.isDiscovered || known.url === null) ? known : undefined;
  }

  /**
   * Where the peer can be called. `null` when the platform does not say it at the first attempt, or in time: its own error, if it has
   * one, follows from the call through it, which is retried.
   * @throws MoleculeError `peer_changed`; an abort.
   */
  async addressOf(peerId: string, { signal, timeoutMs }: CallLimits): Promise<PeerAddress | null> {
    const known = this.known(peerId);
    if (known !== undefined) return known;
    const { clock, logger } = this.#transport.settings;
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
    const known = this.#directory.find(peerId)?.url;
    if (known) return known;
    try {
      return (await this.#discover(peerId, signal, true)).url;
    } catch (error) {
      if (ApiError.isInstance(error) && isUnavailable(error)) return null;
      throw error;
    }
  }

  /**
   * Looks the peer up if nothing is cached, and fails only when it has changed, or the platform does not respond.
   * @throws MoleculeError `peer_changed`; ConnectionError, TimeoutError.
   */
  async verify(peerId: string, { signal }: CallOptions): Promise<void> {
    if (this.#directory.find(peerId)?.isDiscovered === true) return;
    await this.#discover(peerId, signal, true).catch((error: unknown) => {
      // The call through the platform says why.
      if (!ApiError.isInstance(error)) throw error;
    });
  }

  async #ask(peerId: string, isRetried: boolean): Promise<PeerAddress> {
    const input = { params: { id: peerId }, isRepeatable: isRetried };
    const response = await send(this.#transport, routes.discover, input).catch(async (error: unknown) => {
      // A peer that cannot be looked up now is still the one that was refused.
      await this.#identities.checkRefused(peerId);
      throw error;
    });
    const found = parseResponse(this.#transport, routes.discover, input, response);
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
    const nowMs = Number.isNaN(date) ? this.#transport.settings.clock.now() : date;
    const untilMs = Date.parse(expiresAt ?? '') - nowMs - TOKEN_RESERVE_MS;
    const tokenTtlMs = Number.isNaN(untilMs) ? TOKEN_TTL_MS : untilMs;
    return this.#directory.remember(peerId, { url, peerToken, tokenTtlMs });
  }
}

/** The peer is unknown or not running. A 404 without an error code comes from a gateway and means neither. */
function isUnavailable(error: ApiError): boolean {
  if (error.status === 404) return error.code === 'not_found';
  return error.status === 503 && typeof error.details?.status === 'string';
}
