import {
  exceededJsonLimit,
  isJsonObject,
  isJsonRpcResponse,
  isQueuedResponse,
  type JsonValue,
} from '@molecule-ai/protocol';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { parseRetryAfter } from '../time/backoff.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import type { HttpResponse } from '../transport/http-response.ts';
import { headerOf, readBody, textOf } from '../transport/http-response.ts';
import type { ResponseStream } from '../transport/response-stream.ts';
import { valueIn } from './peer-reply.ts';

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
  switch (kind) {
    case 'responded':
    case 'streaming':
    case 'invalid':
      return 'reply';
    case 'refused':
      return 'refuse';
    case 'unauthorized':
      return hasToken && !isRenewed ? 'renew-token' : 'proxy';
    case 'not-sent':
    case 'not-accepted':
      return 'proxy';
    case 'in-doubt':
      return hasToken ? 'proxy' : 'give-up';
  }
}

/** How long a peer is called through the platform after a direct call to it failed, in milliseconds. */
export function avoidedFor(outcome: DirectOutcome): number {
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
    const code = codeIn(jsonOf(response));
    if (code === 'loop_detected' || code === 'message_id_conflict') return { kind: 'refused', status, code };
  }
  // A gateway in front of the peer may have passed it on.
  if (status >= 500 && status !== 503) return { kind: 'in-doubt' };
  if (status !== 429 && status !== 503) return { kind: 'not-accepted', isBusy: false };
  const retryAfterMs = parseRetryAfter(headerOf(response, 'retry-after'), nowMs);
  return { kind: 'not-accepted', isBusy: true, retryAfterMs };
}

/** JSON-RPC errors of A2A agents: method not found, unsupported operation. */
const UNSUPPORTED: ReadonlySet<unknown> = new Set([-32601, -32004]);

/** Whether the peer did nothing with the message, because it does not know the method. */
export function isUnsupportedMethod(outcome: DirectOutcome): boolean {
  return outcome.kind === 'responded' && UNSUPPORTED.has(valueIn(outcome.body, 'error', 'code'));
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

/** The code of an error body or of a JSON-RPC error. */
function codeIn(body: JsonValue): string | undefined {
  return textOf(valueIn(body, 'code')) ?? textOf(valueIn(body, 'error', 'data', 'code'));
}
