import { BODY_LIMITS, exceededJsonLimit, type JsonObject, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError } from '../errors/connection-error.ts';
import { type PeerReply, readReply } from '../peers/peer-reply.ts';
import { open, requestLine, send } from '../platform-api/call.ts';
import type { Transport } from '../transport/transport.ts';
import { type DirectCalls, deliveryUnknown, type OpenedDirectly, replyOf } from './direct-calls.ts';
import type { DirectMessages } from './direct-messages.ts';
import { WITHOUT_JOINED_TEXT, withWayToAnswer } from './message-state.ts';
import { learnCapabilities } from './offered.ts';
import { ACCEPT_STREAM, isEndOfMessage, type OutgoingMessage, proxyRequest } from './peer-calls.ts';
import { type AnswerSource, NOT_ENDED } from './stream-reading.ts';

/**
 * The answer as the platform passes it on: as a stream where it offers that, else as a whole.
 * @param onAbandoned called when the caller aborts the call after the message may have reached the platform
 */
export function platformSource(
  transport: Transport,
  message: OutgoingMessage,
  onAbandoned: (message: OutgoingMessage) => void,
): AnswerSource {
  const { capabilities, settings } = transport;
  const { targetId, messageId, contextId, answerKey } = message;
  const isWrapped = !transport.isOperator;
  const maxLength = settings.maxResponseBytes;
  let isSent = false;
  const onSent = () => {
    isSent = true;
  };
  const toReply = (response: unknown): PeerReply => {
    const hasNamedState = capabilities.words.has('outcomes');
    return readReply(response, { peerId: targetId, messageId, contextId, isWrapped, hasNamedState });
  };
  return {
    isStrict: false,
    isWrapped,
    maxLength,
    get isRepeatable() {
      return capabilities.words.has('stream');
    },
    async open(limits) {
      const { signal } = limits;
      await learnCapabilities(transport, signal);
      try {
        if (!capabilities.words.has('stream')) {
          const request = proxyRequest(message, limits, WITHOUT_JOINED_TEXT, onSent);
          return { reply: toReply((await send(transport, routes.sendMessage, request)).body) };
        }
        const body = { ...message.body, method: 'message/stream' as const };
        const headers = { ...WITHOUT_JOINED_TEXT, ...ACCEPT_STREAM };
        const request = proxyRequest({ ...message, body }, limits, headers, onSent);
        const response = await open(transport, routes.sendMessage, request);
        return 'stream' in response ? response : { reply: toReply(response.body) };
      } catch (error) {
        signal.throwIfAborted();
        if (isEndOfMessage(error)) return { reply: toReply(error.details) };
        throw withWayToAnswer(transport, error, message);
      }
    },
    toReply,
    refused() {
      const line = requestLine(routes.sendMessage, { params: { id: targetId } });
      const text = `${line.method} ${line.path} returned 200: more than ${maxLength} characters.`;
      const error = new ApiError(text, { ...line, code: 'response_too_large', status: 200 });
      throw withWayToAnswer(transport, error, message);
    },
    broken: (cause) =>
      new ConnectionError('The stream of the answer broke off, and could not be read on.', {
        origin: settings.platformOrigin,
        delivered: 'unknown',
        messageId,
        isRetryable: true,
        hint: `The peer may still answer: waitForAnswer(${answerKey}), or stream again with this messageId.`,
        cause,
      }),
    leave() {},
    cancel() {
      if (isSent) onAbandoned(message);
    },
  };
}

/** The answer as the server of the peer sends it. */
export function peerSource(
  calls: DirectCalls,
  messages: DirectMessages,
  message: OutgoingMessage,
  metadata: JsonObject | undefined,
): AnswerSource {
  const { messageId } = message;
  let opened: OpenedDirectly | undefined;
  let isSent = false;
  const onSent = () => {
    isSent = true;
  };
  const refused: AnswerSource['refused'] = (limit) => {
    const code = limit === 'too-large' ? 'agent_answer_too_large' : 'agent_answer_invalid';
    return replyOf({ kind: 'invalid', code }, message);
  };
  const toReply: AnswerSource['toReply'] = (response) => {
    if (exceededJsonLimit(JSON.stringify(response)) !== undefined) return refused('too-complex');
    return replyOf({ kind: 'responded', body: response }, message);
  };
  return {
    isStrict: true,
    isWrapped: false,
    maxLength: BODY_LIMITS.agentResponse,
    get isRepeatable() {
      return opened?.hasToken === true;
    },
    async open(limits) {
      const found = await calls.open(message, { ...limits, onSent });
      if (found === null) return null;
      opened = found;
      // Until its end is read, its state is at the peer, also when nobody reads on.
      if (!messages.has(messageId)) messages.add(found.reply ?? toReply(NOT_ENDED), metadata);
      return found;
    },
    toReply,
    refused,
    broken: (cause) => deliveryUnknown(cause, opened?.url ?? '', messageId),
    leave() {
      if (opened !== undefined) messages.forget(messageId);
    },
    cancel() {
      if (isSent) calls.abandon(message);
    },
  };
}
