import { ERROR_CODES } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import type { DirectOutcome } from '../peers/direct-outcome.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/peer-reply.ts';
import type { OutgoingMessage } from './peer-calls.ts';

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
export function refusalOf(outcome: DirectOutcome): ApiError {
  const isLoop = outcome.kind === 'refused' && outcome.code === 'loop_detected';
  const platformCode = isLoop ? 'loop_detected' : 'message_id_conflict';
  return new ApiError(ERROR_CODES[platformCode], {
    code: isLoop ? 'loop_detected' : 'conflict',
    status: outcome.kind === 'refused' ? outcome.status : 409,
    method: 'POST',
    // Not that of the peer's URL, which may be secret.
    path: '/',
    platformCode,
    hint: isLoop
      ? 'Answer the message that you are handling without this call.'
      : 'The same message id was sent with another text: use a new one.',
  });
}

/** The error of a message that the peer may have handled and that is not sent again. */
export function deliveryUnknown(
  cause: unknown,
  url: string,
  messageId: string,
): TimeoutError | ConnectionError {
  const hint =
    'The peer may have handled the message. It was not sent again, because the platform gave no token for this peer.';
  const { origin } = new URL(url);
  if (TimeoutError.isInstance(cause)) {
    const { timeoutMs } = cause;
    return new TimeoutError(cause.message, {
      timeoutMs,
      delivered: 'unknown',
      messageId,
      hint,
      isRetryable: false,
      cause,
    });
  }
  const what = cause === undefined ? 'sent no valid response' : 'closed the connection';
  return new ConnectionError(`The peer at ${origin} ${what}.`, {
    origin,
    delivered: 'unknown',
    messageId,
    isRetryable: false,
    hint,
    cause,
  });
}
