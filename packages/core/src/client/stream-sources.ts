import { BODY_LIMITS, exceededJsonLimit, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError } from '../errors/connection-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type PlatformApi, requestLine } from '../platform-api/platform-api.ts';
import { type DirectCalls, deliveryUnknown, type OpenedDirectly, replyOf } from './direct-calls.ts';
import type { DirectMessages } from './direct-messages.ts';
import { WITHOUT_JOINED_TEXT, withWayToAnswer } from './message-state.ts';
import {
  ACCEPT_STREAM,
  type OutgoingMessage,
  proxyReply,
  proxyRequest,
  replyAfterFailure,
} from './peer-calls.ts';
import { type AnswerSource, NOT_ENDED } from './stream-reading.ts';

/**
 * The answer as the platform passes it on: as a stream where it offers that, else as a whole.
 * @param onAbandoned called when the caller aborts the call after the message may have reached the platform
 */
export function platformSource(
  api: PlatformApi,
  message: OutgoingMessage,
  onAbandoned: (message: OutgoingMessage) => void,
): AnswerSource {
  const { capabilities, settings } = api;
  const { targetId, messageId, answerKey } = message;
  const maxLength = settings.maxResponseBytes;
  const toReply = (response: unknown): PeerReply => proxyReply(api, message, response);
  return {
    isStrict: false,
    isWrapped: !api.isOperator,
    maxLength,
    get isRepeatable() {
      return capabilities.words.has('stream');
    },
    async open(limits) {
      await api.learnCapabilities(limits.signal);
      const isStreamed = capabilities.words.has('stream');
      const body = isStreamed ? { ...message.body, method: 'message/stream' as const } : message.body;
      const headers = { ...WITHOUT_JOINED_TEXT, ...(isStreamed ? ACCEPT_STREAM : {}) };
      const request = proxyRequest({ ...message, body }, limits, headers, limits.onSent);
      try {
        const response = await api.open(routes.sendMessage, { ...request, isStreamed });
        return 'stream' in response ? response : toReply(response.body);
      } catch (error) {
        return replyAfterFailure(api, message, limits.signal, error);
      }
    },
    toReply,
    refused() {
      const line = requestLine(routes.sendMessage, { params: { id: targetId } });
      const text = `${line.method} ${line.path} returned 200: more than ${maxLength} characters.`;
      const error = new ApiError(text, { ...line, code: 'response_too_large', status: 200 });
      throw withWayToAnswer(api, error, message);
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
    cancel: () => onAbandoned(message),
  };
}

/** The answer as the server of the peer sends it. */
export function peerSource(
  calls: DirectCalls,
  messages: DirectMessages,
  message: OutgoingMessage,
): AnswerSource {
  const { messageId } = message;
  let opened: OpenedDirectly | undefined;
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
      const found = await calls.open(message, limits);
      if (found === null) return null;
      opened = found;
      const { answer } = found;
      // Until its end is read, its state is at the peer, also when nobody reads on.
      if (messages.get(messageId) === undefined)
        messages.add('stream' in answer ? toReply(NOT_ENDED) : answer, message);
      return answer;
    },
    toReply,
    refused,
    broken: (cause) => deliveryUnknown(cause, opened?.origin ?? '', messageId),
    leave() {
      if (opened !== undefined) messages.forget(messageId);
    },
    cancel: () => calls.abandon(message),
  };
}
