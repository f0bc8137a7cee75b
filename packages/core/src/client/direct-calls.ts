import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import {
  type DirectOutcome,
  nextStep,
  outcomeOfFailure,
  outcomeOfResponse,
} from '../peers/direct-outcome.ts';
import type { PeerAddress, PeerDirectory } from '../peers/peer-directory.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { ClientSettings } from '../settings/client-settings.ts';
import { withDeadline } from '../time/deadline.ts';
import type { PeerRequest, PeerTransport } from '../transport/peer-transport.ts';
import type { PlatformCapabilities } from '../transport/platform-capabilities.ts';
import type { AbandonedCalls } from './abandoned-calls.ts';
import { deliveryUnknown, refusalOf, replyOf } from './direct-result.ts';
import { holdSecondsFor, isRepeatedLater, type OutgoingMessage } from './peer-calls.ts';
import type { PeerLookup } from './peer-lookup.ts';

/** Longer, and the message goes through the platform while the lookup goes on. */
const LOOKUP_MS = 5_000;
/** How long a peer is called through the platform after a direct call to it failed. */
const AVOID_MS = 30_000;
const AVOID_BUSY_MS = 5_000;
/** What a direct call leaves of the time for the platform, at least. */
const PROXY_SHARE = 0.08;

export interface DirectCallsOptions {
  readonly settings: ClientSettings;
  readonly capabilities: PlatformCapabilities;
  readonly directory: PeerDirectory;
  readonly lookup: PeerLookup;
  readonly transport: PeerTransport;
  readonly abandoned: AbandonedCalls;
}

interface DirectLimits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

interface Attempt extends DirectLimits {
  readonly holdSeconds: number;
}

/** Sends messages to the servers of peers. See docs/contract/messages.md#direct-calls. */
export class DirectCalls {
  readonly #options: DirectCallsOptions;

  constructor(options: DirectCallsOptions) {
    this.#options = options;
  }

  /**
   * Sends a message to the peer's server; `null` when it has to go through the platform, with the same message id.
   * @throws ApiError `loop_detected`, `conflict`; without a peer token ConnectionError and TimeoutError.
   */
  async send(message: OutgoingMessage, limits: DirectLimits): Promise<PeerReply | null> {
    const { directory, settings } = this.#options;
    if (!this.#isPossible(message.targetId)) return null;
    const endsAt = settings.clock.monotonic() + limits.timeoutMs;
    let peer = this.#known(message.targetId) ?? (await this.#lookUp(message.targetId, limits));
    for (let isRenewed = false; peer !== null && peer.url !== null; isRenewed = true) {
      const hasToken = peer.peerToken !== undefined;
      if (!hasToken && settings.directCalls !== 'always') return null;
      const timeoutMs = endsAt - settings.clock.monotonic();
      if (timeoutMs <= 0) return null;
      const { outcome, error } = await this.#attempt(message, peer, {
        ...limits,
        ...shareOf(timeoutMs),
      });
      const step = nextStep(outcome, { hasToken, isRenewed });
      if (step === 'reply') return replyOf(outcome, message);
      settings.logger.debug(
        { peerId: message.targetId, messageId: message.messageId, outcome: outcome.kind, step },
        'A direct call to a peer got no reply.',
      );
      if (step === 'refuse') throw refusalOf(outcome, peer.url);
      if (step !== 'renew-token') {
        directory.avoid(message.targetId, avoidedFor(outcome));
        if (step === 'give-up') throw deliveryUnknown(error, peer.url, message.messageId);
        return null;
      }
      directory.forget(message.targetId);
      peer = await this.#lookUp(message.targetId, limits);
    }
    return null;
  }

  /** Asks a peer about a message that it got directly; `null` when it cannot be asked, or says nothing of it. */
  async ask(
    peerId: string,
    { messageId, method }: { readonly messageId: string; readonly method: 'tasks/get' | 'tasks/cancel' },
    signal: AbortSignal | undefined,
  ): Promise<JsonObject | null> {
    const { directory, settings } = this.#options;
    const timeoutMs = settings.requestTimeoutMs;
    for (let isRenewed = false; ; isRenewed = true) {
      const peer = this.#known(peerId) ?? (await this.#lookUp(peerId, { signal, timeoutMs }));
      if (peer === null || peer.url === null) return null;
      const outcome = await this.#post(
        peer,
        { jsonrpc: '2.0', id: messageId, method, params: { id: messageId } },
        signal,
      );
      if (outcome.kind !== 'unauthorized' || isRenewed) {
        const body = outcome.kind === 'responded' && isJsonObject(outcome.body) ? outcome.body : null;
        return body?.result === undefined ? null : body;
      }
      directory.forget(peerId);
    }
  }

  #isPossible(peerId: string): boolean {
    const { directory, settings, capabilities } = this.#options;
    if (settings.directCalls === 'off' || directory.isAvoided(peerId)) return false;
    return settings.directCalls === 'always' || capabilities.words.has('peer-tokens');
  }

  #known(peerId: string): PeerAddress | undefined {
    const known = this.#options.directory.find(peerId);
    return known !== undefined && (known.isDiscovered || known.url === null) ? known : undefined;
  }

  /** `null` when the platform does not say it in time: its own error, if it has one, follows from the call through it. */
  async #lookUp(peerId: string, { signal, timeoutMs }: DirectLimits): Promise<PeerAddress | null> {
    const { lookup, settings } = this.#options;
    const limitMs = Math.min(LOOKUP_MS, timeoutMs / 2);
    const limits = { clock: settings.clock, timeoutMs: limitMs, what: 'Finding a peer', signal };
    return await withDeadline(limits, (inner) => lookup.discover(peerId, { signal: inner })).catch(
      (error: unknown) => {
        signal?.throwIfAborted();
        if (isPeerChange(error)) throw error;
        settings.logger.debug(
          { peerId, error },
          'A peer could not be looked up: it is called through the platform.',
        );
        return null;
      },
    );
  }

  async #attempt(
    message: OutgoingMessage,
    peer: PeerAddress,
    { holdSeconds, timeoutMs, signal }: Attempt,
  ): Promise<{ outcome: DirectOutcome; error?: unknown }> {
    const { abandoned, settings, transport } = this.#options;
    let isSent = false;
    try {
      const response = await transport.post({
        ...destinationOf(peer),
        body: JSON.stringify(message.body),
        headers: { 'x-timeout': String(holdSeconds) },
        timeoutMs,
        signal,
        onSent: () => {
          isSent = true;
        },
      });
      return { outcome: outcomeOfResponse(response, settings.clock.now()) };
    } catch (error) {
      if (isSent && signal?.aborted === true && error === signal.reason && !isRepeatedLater(error, message)) {
        const { targetId, messageId } = message;
        abandoned.run(messageId, (inner) => this.ask(targetId, { messageId, method: 'tasks/cancel' }, inner));
      }
      const outcome = outcomeOfFailure(error);
      if (outcome === undefined) throw error;
      return { outcome, error };
    }
  }

  async #post(peer: PeerAddress, body: JsonObject, signal: AbortSignal | undefined): Promise<DirectOutcome> {
    const { settings, transport } = this.#options;
    try {
      const response = await transport.post({
        ...destinationOf(peer),
        body: JSON.stringify(body),
        headers: {},
        timeoutMs: settings.requestTimeoutMs,
        signal,
        onSent: () => {},
      });
      return outcomeOfResponse(response, settings.clock.now());
    } catch (error) {
      const outcome = outcomeOfFailure(error);
      if (outcome === undefined) throw error;
      return outcome;
    }
  }
}

function isPeerChange(error: unknown): boolean {
  return MoleculeError.isInstance(error) && error.code === 'peer_changed';
}

/** Parsing takes a noticeable part of a call. */
const parsed = new WeakMap<PeerAddress, URL>();

function destinationOf(peer: PeerAddress): Pick<PeerRequest, 'url' | 'peerToken'> {
  const url = parsed.get(peer) ?? new URL(peer.url ?? '');
  parsed.set(peer, url);
  return { url, peerToken: peer.peerToken };
}

/** The time for the peer: as long as it may hold the request, and half of the rest; the other half is for the platform. */
function shareOf(timeoutMs: number): { holdSeconds: number; timeoutMs: number } {
  const holdSeconds = holdSecondsFor(timeoutMs);
  const heldMs = holdSeconds * 1_000;
  const shareMs = heldMs + Math.max(0, timeoutMs - heldMs) / 2;
  return { holdSeconds, timeoutMs: Math.max(1, Math.min(shareMs, timeoutMs * (1 - PROXY_SHARE))) };
}

function avoidedFor(outcome: DirectOutcome): number {
  if (outcome.kind !== 'not-accepted' || !outcome.isBusy) return AVOID_MS;
  return Math.min(AVOID_MS, outcome.retryAfterMs ?? AVOID_BUSY_MS);
}
