import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readMessageRecord } from '../peers/peer-reply.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions, RequestLane } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

export const DEFAULT_ANSWER_TIMEOUT_MS = 300_000;
const MAX_WAIT_SECONDS = 60;
const PAUSE_MS = 1_000;
/** Without it the platform repeats the text of an answer in `result.text`, for readers that know nothing else. */
export const WITHOUT_JOINED_TEXT = { prefer: 'molecule-compact' };

export interface WaitForAnswerOptions extends CallOptions {
  /** Total time limit, in milliseconds; 0 sends one request. @default 300_000 */
  timeoutMs?: number | undefined;
  /**
   * The workspace that was asked, for a platform that does not keep the state of messages: there only its answer counts.
   * @default the one that this client sent the message; if another process did, any: `PeerReply.peerId` names it
   */
  peerId?: string | undefined;
}

/**
 * Reads the state of a sent message; the platform may hold the request for `waitSeconds`.
 * @throws MoleculeError `not_supported` for a platform without the state of messages.
 */
export async function readMessageState(
  transport: Transport,
  callerId: string,
  messageId: string,
  options: CallOptions & { isWrapped: boolean; waitSeconds?: number; lane?: RequestLane },
): Promise<PeerReply> {
  const { isWrapped, lane, signal, waitSeconds = 0 } = options;
  const { capabilities } = transport;
  if (capabilities.lacks('message-status')) throw notSupported();
  try {
    const record = await call(transport, routes.getMessage, {
      params: { id: callerId, messageId },
      query: { wait: waitSeconds > 0 ? waitSeconds : undefined },
      headers: WITHOUT_JOINED_TEXT,
      relaysPeerText: true,
      lane,
      signal,
    });
    return readMessageRecord(record, { isWrapped });
  } catch (error) {
    if (ApiError.isInstance(error) && error.code === 'routing_problem') {
      throw capabilities.words.has('message-status') ? error : notSupported(error);
    }
    if (TimeoutError.isInstance(error) || ConnectionError.isInstance(error)) throw error;
    throw withWayToAnswer(transport, error, {
      messageId,
      answerKey: answerKeyOf(transport, callerId, messageId),
    });
  }
}

/**
 * Reads the state of a message until it is answered, failed, or the timeout has passed; then the status is still
 * `queued`. The platform holds each request for up to 60 s; if it does not, the next request follows after a second.
 * @throws MoleculeError `not_supported` for a platform without the state of messages.
 */
export async function waitForAnswer(
  transport: Transport,
  callerId: string,
  messageId: string,
  options: WaitForAnswerOptions & { isWrapped: boolean },
): Promise<PeerReply> {
  const { clock } = transport.settings;
  const { signal, isWrapped, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS } = options;
  const endsAt = clock.monotonic() + timeoutMs;
  for (;;) {
    const sentAt = clock.monotonic();
    const remainingSeconds = Math.floor((endsAt - sentAt) / 1_000);
    const waitSeconds = Math.max(0, Math.min(MAX_WAIT_SECONDS, remainingSeconds));
    const reply = await readMessageState(transport, callerId, messageId, { signal, isWrapped, waitSeconds });
    const now = clock.monotonic();
    if (reply.status !== 'queued' || now >= endsAt) return reply;
    const pauseMs = Math.min(endsAt - now, Math.max(0, PAUSE_MS - (now - sentAt)));
    if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
  }
}

/** The arguments of `waitForAnswer` and `getMessage` for a message, as code: an operator names the workspace too. */
export function answerKeyOf({ isOperator }: Transport, workspaceId: string, messageId: string): string {
  return isOperator ? `'${workspaceId}', '${messageId}'` : `'${messageId}'`;
}

/** Says where the answer is that this call could not return. Other errors stay as they are. */
export function withWayToAnswer(
  { capabilities }: Transport,
  error: unknown,
  { messageId, answerKey }: { readonly messageId: string; readonly answerKey: string },
): unknown {
  const wait = `The peer may still answer: waitForAnswer(${answerKey})${afterTimeout(capabilities)}`;
  if (ConnectionError.isInstance(error) && error.delivered === 'unknown') {
    const { origin, delivered, isRetryable } = error;
    const hint = error.hint === undefined ? wait : `${error.hint} ${wait}`;
    return new ConnectionError(error.message, {
      origin,
      delivered,
      isRetryable,
      messageId,
      hint,
      cause: error,
    });
  }
  if (TimeoutError.isInstance(error)) {
    return new TimeoutError(error.message, {
      timeoutMs: error.timeoutMs,
      delivered: error.delivered,
      messageId,
      hint: wait,
      cause: error,
    });
  }
  if (!ApiError.isInstance(error) || error.code !== 'response_too_large') return error;
  const { message, code, status, method, path } = error;
  return new ApiError(message, {
    code,
    status,
    method,
    path,
    hint: `The platform keeps the answer: read it with getMessage(${answerKey}) and a larger maxResponseBytes.`,
    cause: error,
  });
}

function afterTimeout(capabilities: Transport['capabilities']): string {
  if (capabilities.words.has('message-dedupe')) return ', or call again with this messageId.';
  if (!capabilities.lacks('message-dedupe')) return '.';
  return '. The platform does not recognise repeats: a second call may run the peer again.';
}

function notSupported(cause?: unknown): MoleculeError {
  return new MoleculeError('The platform has no route for the state of a message.', {
    code: 'not_supported',
    hint: 'An agent receives the answer as a message with inReplyTo.',
    cause,
  });
}
