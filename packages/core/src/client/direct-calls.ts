import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { withTraceHeaders } from '@molecule-ai/telemetry';
import {
  avoidedFor,
  type DirectOutcome,
  isUnsupportedMethod,
  nextStep,
  outcomeOfFailure,
  outcomeOfResponse,
} from '../peers/direct-outcome.ts';
import type { PeerAddress, PeerDirectory } from '../peers/peer-directory.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { ClientSettings } from '../settings/client-settings.ts';
import type { PeerRequest, PeerTransport } from '../transport/peer-transport.ts';
import type { PlatformCapabilities } from '../transport/platform-capabilities.ts';
import type { ResponseStream } from '../transport/response-stream.ts';
import type { AbandonedCalls } from './abandoned-calls.ts';
import { deliveryUnknown, refusalOf, replyOf } from './direct-result.ts';
import { ACCEPT_STREAM, holdSecondsFor, isRepeatedLater, type OutgoingMessage } from './peer-calls.ts';
import type { PeerLookup } from './peer-lookup.ts';

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

/** Of a message whose sender cancels it himself. */
interface Opening {
  /** Whether the answer may come as a stream. */
  readonly isStreamed: boolean;
  /** Called when the request is written to a connection. */
  readonly onSent: () => void;
}

/** The answer of a peer that accepted a message. */
export type OpenedDirectly = (
  | { readonly stream: ResponseStream; readonly reply?: undefined }
  | { readonly reply: PeerReply; readonly stream?: undefined }
) & {
  /** Whether the peer recognises the message when it is sent again. */
  readonly hasToken: boolean;
  readonly url: string;
};

interface Called {
  readonly outcome: DirectOutcome;
  readonly peer: PeerAddress;
  readonly url: string;
}

interface Attempt extends DirectLimits, Partial<Opening> {
  readonly holdSeconds: number;
}

/** Sends messages to the servers of peers. See docs/contract/messages.md#direct-calls. */
export class DirectCalls {
  readonly #options: DirectCallsOptions;

  constructor(options: DirectCallsOptions) {
    this.#options = options;
  }

  /** Whether there is no reason yet to send a message through the platform. */
  mayReach({ targetId, messageId }: OutgoingMessage): boolean {
    const obstacle = this.#obstacleTo(targetId);
    if (obstacle !== null) this.#skip(targetId, messageId, obstacle);
    return obstacle === null;
  }

  /**
   * Sends a message to the peer's server, if {@link mayReach}; `null` when it has to go through the platform, with the same message id.
   * @throws ApiError `loop_detected`, `conflict`; without a peer token ConnectionError and TimeoutError.
   */
  async send(message: OutgoingMessage, limits: DirectLimits): Promise<PeerReply | null> {
    const called = await this.#call(message, limits);
    return called === null ? null : replyOf(called.outcome, message);
  }

  #skip(peerId: string, messageId: string, reason: string): null {
    const text = 'A peer is called through the platform.';
    this.#options.settings.logger.debug({ peerId, messageId, reason }, text);
    return null;
  }

  /**
   * Sends a message as {@link send}, and returns the stream of the answer, or the reply of a peer that does not stream. An abort
   * cancels nothing: see {@link abandon}.
   */
  async open(
    message: OutgoingMessage,
    limits: DirectLimits & Pick<Opening, 'onSent'>,
  ): Promise<OpenedDirectly | null> {
    const body = { ...message.body, method: 'message/stream' as const };
    const called = await this.#call({ ...message, body }, { ...limits, isStreamed: true });
    if (called === null) return null;
    const { outcome, peer, url } = called;
    const opened = { hasToken: peer.peerToken !== undefined, url };
    if (outcome.kind === 'streaming') return { ...opened, stream: outcome.stream };
    if (!isUnsupportedMethod(outcome)) return { ...opened, reply: replyOf(outcome, message) };
    const whole = await this.#call(message, { ...limits, isStreamed: false });
    return whole === null ? null : { ...opened, reply: replyOf(whole.outcome, message) };
  }

  /** Cancels a message whose answer nobody waits for, in the background. */
  abandon({ targetId, messageId }: Pick<OutgoingMessage, 'targetId' | 'messageId'>): void {
    this.#options.abandoned.run(messageId, (signal) =>
      this.ask(targetId, { messageId, method: 'tasks/cancel' }, signal),
    );
  }

  async #call(message: OutgoingMessage, limits: DirectLimits & Partial<Opening>): Promise<Called | null> {
    const { directory, lookup, settings } = this.#options;
    const { targetId, messageId } = message;
    const endsAt = settings.clock.monotonic() + limits.timeoutMs;
    let peer = lookup.known(message.targetId) ?? (await lookup.addressOf(message.targetId, limits));
    for (let isRenewed = false; peer !== null && peer.url !== null; isRenewed = true) {
      const hasToken = peer.peerToken !== undefined;
      if (!hasToken && settings.directCalls !== 'always') return this.#skip(targetId, messageId, 'no_token');
      const timeoutMs = endsAt - settings.clock.monotonic();
      if (timeoutMs <= 0) return null;
      const { outcome, error, status } = await this.#attempt(message, peer, {
        ...limits,
        ...shareOf(timeoutMs),
      });
      message.onAttempt?.({
        'molecule.via': 'direct',
        'molecule.result': outcome.kind,
        'http.response.status_code': status,
      });
      const step = nextStep(outcome, { hasToken, isRenewed });
      if (step === 'reply') return { outcome, peer, url: peer.url };
      settings.logger.debug(
        {
          peerId: message.targetId,
          messageId: message.messageId,
          outcome: outcome.kind,
          step,
          ...(status === undefined ? {} : { status }),
          ...(error === undefined ? {} : { error }),
        },
        'A direct call to a peer got no reply.',
      );
      if (step === 'refuse') throw refusalOf(outcome);
      if (step !== 'renew-token') {
        directory.avoid(message.targetId, avoidedFor(outcome));
        if (step === 'give-up') throw deliveryUnknown(error, peer.url, message.messageId);
        return null;
      }
      directory.forget(message.targetId);
      peer = await lookup.addressOf(message.targetId, limits);
    }
    return peer === null ? null : this.#skip(targetId, messageId, 'no_url');
  }

  /** Asks a peer about a message that it got directly; `null` when it cannot be asked, or says nothing of it. */
  async ask(
    peerId: string,
    { messageId, method }: { readonly messageId: string; readonly method: 'tasks/get' | 'tasks/cancel' },
    signal: AbortSignal | undefined,
  ): Promise<JsonObject | null> {
    const { directory, lookup, settings } = this.#options;
    const timeoutMs = settings.requestTimeoutMs;
    for (let isRenewed = false; ; isRenewed = true) {
      const peer = lookup.known(peerId) ?? (await lookup.addressOf(peerId, { signal, timeoutMs }));
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

  #obstacleTo(peerId: string): 'off' | 'failed_before' | 'not_offered' | null {
    const { directory, settings, capabilities } = this.#options;
    if (settings.directCalls === 'off') return 'off';
    if (directory.isAvoided(peerId)) return 'failed_before';
    return settings.directCalls === 'always' || capabilities.words.has('peer-tokens') ? null : 'not_offered';
  }

  async #attempt(
    message: OutgoingMessage,
    peer: PeerAddress,
    { holdSeconds, timeoutMs, signal, onSent, isStreamed = false }: Attempt,
  ): Promise<{ outcome: DirectOutcome; error?: unknown; status?: number }> {
    const { settings, transport } = this.#options;
    let isSent = false;
    const request = {
      ...destinationOf(peer),
      body: JSON.stringify(message.body),
      timeoutMs,
      signal,
      headers: withTraceHeaders({ 'x-timeout': String(holdSeconds), ...(isStreamed ? ACCEPT_STREAM : {}) }),
      onSent: () => {
        isSent = true;
        onSent?.();
      },
    };
    try {
      const response = await (isStreamed ? transport.open(request) : transport.post(request));
      return { outcome: outcomeOfResponse(response, settings.clock.now()), status: response.status };
    } catch (error) {
      const isAborted = isSent && signal?.aborted === true && error === signal.reason;
      if (isAborted && onSent === undefined && !isRepeatedLater(error, message)) this.abandon(message);
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
