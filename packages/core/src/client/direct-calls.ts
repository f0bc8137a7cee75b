import {
  ERROR_CODES,
  exceededJsonLimit,
  isJsonObject,
  isJsonRpcResponse,
  isQueuedResponse,
  type JsonObject,
  type JsonValue,
} from '@molecule-ai/protocol';
import { traceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { type PeerReply, readReply, valueIn } from '../peers/peer-reply.ts';
import { parseRetryAfter } from '../time/backoff.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import { type HttpResponse, headerOf, readBody, textOf } from '../transport/http-response.ts';
import type { PeerRequest } from '../transport/peer-transport.ts';
import type { ResponseStream } from '../transport/response-stream.ts';
import type { AbandonedCalls } from './cancellation.ts';
import type { ClientContext } from './client-context.ts';
import type { CallLimits } from './current-message.ts';
import { ACCEPT_STREAM, holdSecondsFor, isAbandoned, type OutgoingMessage } from './peer-calls.ts';
import type { OpenedAnswer, SourceLimits } from './stream-reading.ts';

/** What a direct call leaves of the time for the platform, at least. */
const PROXY_SHARE = 0.08;

/** Errors of agents that did nothing with a message: method not found, unsupported operation. */
const UNSUPPORTED: ReadonlySet<unknown> = new Set([-32601, -32004]);

/** A peer that accepted a message. */
interface Accepted {
  /** Whether the peer recognises the message when it is sent again. */
  readonly hasToken: boolean;
  readonly origin: string;
}

export interface OpenedDirectly extends Accepted {
  readonly answer: OpenedAnswer;
}

/** Sends messages to the servers of peers. See docs/contract/messages.md#direct-calls. */
export class DirectCalls {
  readonly #context: ClientContext;
  readonly #abandoned: AbandonedCalls;

  constructor(context: ClientContext, abandoned: AbandonedCalls) {
    this.#context = context;
    this.#abandoned = abandoned;
  }

  /** Whether a message may go to the server of its peer; else it goes through the platform. */
  isPossible(message: OutgoingMessage): boolean {
    const { lookup, settings, api } = this.#context;
    const { directCalls } = settings;
    const isOffered = directCalls !== 'auto' || api.capabilities.words.has('peer-tokens');
    if (directCalls === 'off') this.#skip(message, 'off');
    else if (!isOffered) this.#skip(message, 'not_offered');
    else if (lookup.isAvoided(message.targetId)) this.#skip(message, 'failed_before');
    else return true;
    return false;
  }

  /**
   * Sends a message to the peer's server; `null` when it has to go through the platform, with the same message id.
   * @throws ApiError `loop_detected`, `conflict`; without a peer token ConnectionError and TimeoutError.
   */
  async send(message: OutgoingMessage, { signal, timeoutMs }: CallLimits): Promise<PeerReply | null> {
    let isSent = false;
    const onSent = () => {
      isSent = true;
    };
    try {
      const called = await this.#call(message, { signal, timeoutMs, onSent });
      return called === null ? null : replyOf(called.outcome, message);
    } catch (error) {
      if (isSent && isAbandoned(message, signal)) this.abandon(message);
      throw error;
    }
  }

  #skip({ targetId: peerId, messageId }: OutgoingMessage, reason: string): null {
    const text = 'A peer is called through the platform.';
    this.#context.settings.logger.debug({ peerId, messageId, reason }, text);
    return null;
  }

  /**
   * Sends a message as {@link send}, and returns the stream of the answer, or the reply of a peer that does not stream. An abort
   * cancels nothing: see {@link abandon}.
   */
  async open(message: OutgoingMessage, limits: SourceLimits): Promise<OpenedDirectly | null> {
    if (!this.isPossible(message)) return null;
    const called = await this.#call(message, limits, true);
    if (called === null) return null;
    const { outcome, ...accepted } = called;
    if (outcome.kind === 'streaming') return { ...accepted, answer: outcome };
    const errorCode = outcome.kind === 'responded' ? valueIn(outcome.body, 'error', 'code') : undefined;
    if (!UNSUPPORTED.has(errorCode)) return { ...accepted, answer: replyOf(outcome, message) };
    const whole = await this.#call(message, limits);
    return whole && { ...accepted, answer: replyOf(whole.outcome, message) };
  }

  /** Cancels a message whose answer nobody waits for, in the background. */
  abandon({ targetId, messageId }: Pick<OutgoingMessage, 'targetId' | 'messageId'>): void {
    this.#abandoned.run(messageId, (signal) =>
      this.ask(targetId, { messageId, method: 'tasks/cancel' }, signal),
    );
  }

  async #call(
    message: OutgoingMessage,
    limits: CallLimits & Pick<PeerRequest, 'onSent'>,
    isStreamed = false,
  ): Promise<(Accepted & { readonly outcome: DirectOutcome }) | null> {
    const { lookup, settings } = this.#context;
    const { targetId, messageId, operation } = message;
    const body = isStreamed ? { ...message.body, method: 'message/stream' } : message.body;
    const { signal, onSent } = limits;
    const endsAt = settings.clock.monotonic() + limits.timeoutMs;
    let peer = await lookup.addressOf(targetId, limits);
    for (let isRenewed = false; peer !== null && peer.server !== null; isRenewed = true) {
      const { server, peerToken } = peer;
      const hasToken = peerToken !== undefined;
      if (!hasToken && settings.directCalls !== 'always') return this.#skip(message, 'no_token');
      const leftMs = endsAt - settings.clock.monotonic();
      if (leftMs <= 0) return null;
      const holdSeconds = holdSecondsFor(leftMs);
      const timeoutMs = shareOf(leftMs, holdSeconds);
      const headers = {
        ...(isStreamed ? ACCEPT_STREAM : {}),
        'x-timeout': String(holdSeconds),
        ...traceHeaders(operation.trace),
      };
      const request = { server, bearer: peerToken, headers, timeoutMs, signal, onSent, isStreamed };
      const { outcome, error, status } = await this.#post(request, body);
      operation.event('molecule.attempt', {
        'molecule.via': 'direct',
        'molecule.result': outcome.kind,
        'http.response.status_code': status,
      });
      const step = nextStep(outcome, { hasToken, isRenewed });
      if (step === 'reply') return { outcome, hasToken, origin: server.origin };
      const got = error === undefined ? { status } : { error };
      settings.logger.debug(
        { peerId: targetId, messageId, outcome: outcome.kind, step, ...got },
        'A direct call to a peer got no reply.',
      );
      if (outcome.kind === 'refused') throw refusalOf(outcome);
      if (step !== 'renew-token') {
        lookup.avoid(targetId, avoidedFor(outcome));
        if (step === 'give-up') throw deliveryUnknown(error, server.origin, messageId);
        return null;
      }
      lookup.forget(targetId);
      peer = await lookup.addressOf(targetId, limits);
    }
    return peer === null ? null : this.#skip(message, 'no_url');
  }

  /** Asks a peer about a message that it got directly; `null` when it cannot be asked, or says nothing of it. */
  async ask(
    peerId: string,
    { messageId, method }: { readonly messageId: string; readonly method: 'tasks/get' | 'tasks/cancel' },
    signal: AbortSignal | undefined,
  ): Promise<JsonObject | null> {
    const { lookup, settings } = this.#context;
    const limits = { signal, timeoutMs: settings.requestTimeoutMs };
    const body = { jsonrpc: '2.0', id: messageId, method, params: { id: messageId } };
    for (let isRenewed = false; ; isRenewed = true) {
      const peer = await lookup.addressOf(peerId, limits);
      if (peer === null || peer.server === null) return null;
      const { server, peerToken } = peer;
      const { outcome } = await this.#post({ server, bearer: peerToken, headers: {}, ...limits }, body);
      if (outcome.kind !== 'unauthorized' || isRenewed) {
        const response = outcome.kind === 'responded' && isJsonObject(outcome.body) ? outcome.body : null;
        return response?.result === undefined ? null : response;
      }
      lookup.forget(peerId);
    }
  }

  async #post(
    request: Omit<PeerRequest, 'body'>,
    body: object,
  ): Promise<{ outcome: DirectOutcome; error?: unknown; status?: number }> {
    const { settings, peerTransport } = this.#context;
    try {
      const response = await peerTransport.post({ ...request, body: JSON.stringify(body) });
      return { outcome: outcomeOfResponse(response, settings.clock.now()), status: response.status };
    } catch (error) {
      const outcome = outcomeOfFailure(error);
      if (outcome === undefined) throw error;
      return { outcome, error };
    }
  }
}

/** The time for the peer: as long as it may hold the request, and half of the rest; the other half is for the platform. */
function shareOf(timeoutMs: number, holdSeconds: number): number {
  const heldMs = holdSeconds * 1_000;
  const shareMs = heldMs + Math.max(0, timeoutMs - heldMs) / 2;
  return Math.max(1, Math.min(shareMs, timeoutMs * (1 - PROXY_SHARE)));
}

/** The reply to a message that the peer handled. */
export function replyOf(
  outcome: DirectOutcome,
  { targetId: peerId, messageId, contextId }: OutgoingMessage,
): PeerReply {
  const facts = { peerId, messageId, contextId, isWrapped: false, via: 'direct' } as const;
  if (outcome.kind === 'responded') return readReply(outcome.body, facts);
  const code = outcome.kind === 'invalid' ? outcome.code : 'agent_answer_invalid';
  const error = { code: -32603, message: ERROR_CODES[code], data: { code } };
  return readReply({ jsonrpc: '2.0', id: messageId, error }, facts);
}

/** The error of a message that the peer refused, in our own words: what the peer says of it is untrusted. */
function refusalOf({ code, status }: Extract<DirectOutcome, { kind: 'refused' }>): ApiError {
  const isLoop = code === 'loop_detected';
  return new ApiError(ERROR_CODES[code], {
    code: isLoop ? 'loop_detected' : 'conflict',
    status,
    method: 'POST',
    // Not that of the peer's URL, which may be secret.
    path: '/',
    platformCode: code,
    hint: isLoop
      ? 'Answer the message that you are handling without this call.'
      : 'The same message id was sent with another text: use a new one.',
  });
}

/** The error of a message that the peer may have handled and that is not sent again. */
export function deliveryUnknown(
  cause: unknown,
  origin: string,
  messageId: string,
): TimeoutError | ConnectionError {
  const hint =
    'The peer may have handled the message. It was not sent again, because the platform gave no token for this peer.';
  const options = { delivered: 'unknown', messageId, hint, isRetryable: false, cause } as const;
  if (TimeoutError.isInstance(cause)) {
    return new TimeoutError(cause.message, { ...options, timeoutMs: cause.timeoutMs });
  }
  const what = cause === undefined ? 'sent no valid response' : 'closed the connection';
  return new ConnectionError(`The peer at ${origin} ${what}.`, { ...options, origin });
}

const AVOID_MS = 30_000;
const AVOID_BUSY_MS = 5_000;

/** What came of sending a message to the server of a peer. */
export type DirectOutcome =
  /** Certainly not sent: the address is refused, nobody listens there, its certificate is not trusted. */
  | { readonly kind: 'not-sent' }
  /** The peer's answer, its error, a task, or that it answers later. */
  | { readonly kind: 'responded'; readonly body: JsonValue }
  /** The peer accepted it, and its answer comes as a stream. */
  | { readonly kind: 'streaming'; readonly stream: ResponseStream }
  | { readonly kind: 'unauthorized' }
  /** Refused before the peer did anything with it; `isBusy` when it may accept messages again soon. */
  | { readonly kind: 'not-accepted'; readonly isBusy: boolean; readonly retryAfterMs?: number | undefined }
  /** Refused for a reason that holds on every path. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code: 'loop_detected' | 'message_id_conflict';
    }
  /** The peer handled it, and what it answers cannot be accepted. */
  | { readonly kind: 'invalid'; readonly code: 'agent_answer_too_large' | 'agent_answer_invalid' }
  /** Sent, and no complete response: the peer may have handled it. */
  | { readonly kind: 'in-doubt' };

/**
 * `reply`: what the peer responded is the reply. `renew-token`: try once more with a new token. `proxy`: send it through the platform
 * with the same message id. `refuse`: the call fails, nothing was done. `give-up`: the call fails and is not repeated, because that
 * could run the peer twice.
 */
export type NextStep = 'reply' | 'renew-token' | 'proxy' | 'refuse' | 'give-up';

/** Peers to which the platform gave a token recognise a message that comes twice. See docs/decisions/0010-message-dedupe.md. */
export function nextStep(
  { kind }: Pick<DirectOutcome, 'kind'>,
  { hasToken, isRenewed }: { readonly hasToken: boolean; readonly isRenewed: boolean },
): NextStep {
  if (kind === 'unauthorized' && hasToken && !isRenewed) return 'renew-token';
  return kind === 'in-doubt' && !hasToken ? 'give-up' : NEXT_STEPS[kind];
}

const NEXT_STEPS: { readonly [Kind in DirectOutcome['kind']]: NextStep } = {
  responded: 'reply',
  streaming: 'reply',
  invalid: 'reply',
  refused: 'refuse',
  unauthorized: 'proxy',
  'not-sent': 'proxy',
  'not-accepted': 'proxy',
  'in-doubt': 'proxy',
};

/** How long a peer is called through the platform after a direct call to it failed, in milliseconds. */
function avoidedFor(outcome: DirectOutcome): number {
  if (outcome.kind !== 'not-accepted' || !outcome.isBusy) return AVOID_MS;
  return Math.min(AVOID_MS, outcome.retryAfterMs ?? AVOID_BUSY_MS);
}

/** What a failed exchange means; `undefined` for an abort and for a closed client. */
export function outcomeOfFailure(error: unknown): DirectOutcome | undefined {
  if (!ConnectionError.isInstance(error) && !TimeoutError.isInstance(error)) return undefined;
  return { kind: error.delivered === 'no' ? 'not-sent' : 'in-doubt' };
}

export function outcomeOfResponse(response: HttpResponse | StreamedResponse, nowMs: number): DirectOutcome {
  if ('stream' in response) return { kind: 'streaming', stream: response.stream };
  const { status } = response;
  if (status >= 200 && status < 300) return outcomeOfSuccess(response);
  if (status === 401) return { kind: 'unauthorized' };
  if (status === 409) {
    const body = jsonOf(response);
    const code = textOf(valueIn(body, 'code')) ?? textOf(valueIn(body, 'error', 'data', 'code'));
    if (code === 'loop_detected' || code === 'message_id_conflict') return { kind: 'refused', status, code };
  }
  // A gateway in front of the peer may have passed it on.
  if (status >= 500 && status !== 503) return { kind: 'in-doubt' };
  if (status !== 429 && status !== 503) return { kind: 'not-accepted', isBusy: false };
  const retryAfterMs = parseRetryAfter(headerOf(response, 'retry-after'), nowMs);
  return { kind: 'not-accepted', isBusy: true, retryAfterMs };
}

function outcomeOfSuccess(response: HttpResponse): DirectOutcome {
  if (response.isTooLarge) return { kind: 'invalid', code: 'agent_answer_too_large' };
  const text = response.body.toString('utf8');
  if (exceededJsonLimit(text) !== undefined) return { kind: 'invalid', code: 'agent_answer_invalid' };
  const body = jsonOf(response, text);
  if (isJsonObject(body) && (isJsonRpcResponse(body) || isQueuedResponse(body)))
    return { kind: 'responded', body };
  if (response.status === 202 || response.status === 204)
    return { kind: 'responded', body: { queued: true } };
  // Not the peer, but something else at its address; or a body that was cut.
  return { kind: 'in-doubt' };
}

function jsonOf(response: HttpResponse, text?: string): JsonValue {
  const body = readBody(response, text);
  return body.kind === 'json' ? (body.value as JsonValue) : null;
}
