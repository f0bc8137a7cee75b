import { BODY_LIMITS, exceededJsonLimit, type JsonObject, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError } from '../errors/connection-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/read-reply.ts';
import { open, requestLine, send } from '../platform-api/call.ts';
import type { Transport } from '../transport/transport.ts';
import { type DirectCalls, deliveryUnknown, type OpenedDirectly, replyOf } from './direct-calls.ts';
import type { DirectMessages } from './direct-messages.ts';
import { WITHOUT_JOINED_TEXT, withWayToAnswer } from './message-state.ts';
import { ACCEPT_STREAM, isEndOfMessage, type OutgoingMessage, proxyRequest } from './peer-calls.ts';
import { type AnswerSource, NOT_ENDED, type OpenedAnswer, type OpeningLimits } from './stream-reading.ts';

interface PlatformSourceOptions {
  readonly transport: Transport;
  readonly message: OutgoingMessage;
  /** The caller aborted the call after the message may have reached the platform. */
  readonly onAbandoned: (messageId: string) => void;
}

/** The answer as the platform passes it on: as a stream where it offers that, else as a whole. */
export class PlatformSource implements AnswerSource {
  readonly isStrict = false;
  readonly #options: PlatformSourceOptions;
  #isSent = false;

  constructor(options: PlatformSourceOptions) {
    this.#options = options;
  }

  get isRepeatable(): boolean {
    return this.#options.transport.capabilities.words.has('stream');
  }

  get isWrapped(): boolean {
    return !this.#options.transport.isOperator;
  }

  get maxLength(): number {
    return this.#options.transport.settings.maxResponseBytes;
  }

  async open(limits: OpeningLimits): Promise<OpenedAnswer> {
    const { transport, message } = this.#options;
    const { signal } = limits;
    const { capabilities } = transport;
    // A platform that has not responded to this client yet names its capabilities in any response.
    if (!capabilities.isKnown) {
      await send(transport, routes.health, { signal }).catch((error: unknown) => {
        if (!capabilities.isKnown) throw error;
      });
    }
    const onSent = () => {
      this.#isSent = true;
    };
    try {
      if (!capabilities.words.has('stream')) {
        const request = proxyRequest(message, limits, WITHOUT_JOINED_TEXT, onSent);
        return { reply: this.toReply((await send(transport, routes.sendMessage, request)).body) };
      }
      const body = { ...message.body, method: 'message/stream' as const };
      const headers = { ...WITHOUT_JOINED_TEXT, ...ACCEPT_STREAM };
      const request = proxyRequest({ ...message, body }, limits, headers, onSent);
      const response = await open(transport, routes.sendMessage, request);
      return 'stream' in response ? response : { reply: this.toReply(response.body) };
    } catch (error) {
      signal.throwIfAborted();
      if (isEndOfMessage(error)) return { reply: this.toReply(error.details) };
      throw withWayToAnswer(transport, error, message);
    }
  }

  toReply(response: unknown): PeerReply {
    const { isWrapped } = this;
    const { transport, message } = this.#options;
    const { targetId: peerId, messageId, contextId } = message;
    const hasNamedState = transport.capabilities.words.has('outcomes');
    return readReply(response, { peerId, messageId, contextId, isWrapped, hasNamedState });
  }

  refused(): never {
    const { transport, message } = this.#options;
    const line = requestLine(routes.sendMessage, { params: { id: message.targetId } });
    const text = `${line.method} ${line.path} returned 200: more than ${this.maxLength} characters.`;
    const error = new ApiError(text, { ...line, code: 'response_too_large', status: 200 });
    throw withWayToAnswer(transport, error, message);
  }

  broken(cause: unknown): ConnectionError {
    const { transport, message } = this.#options;
    return new ConnectionError('The stream of the answer broke off, and could not be read on.', {
      origin: transport.settings.platformOrigin,
      delivered: 'unknown',
      messageId: message.messageId,
      isRetryable: true,
      hint: `The peer may still answer: waitForAnswer(${message.answerKey}), or stream again with this messageId.`,
      cause,
    });
  }

  leave(): void {}

  cancel(): void {
    if (this.#isSent) this.#options.onAbandoned(this.#options.message.messageId);
  }
}

interface PeerSourceOptions {
  readonly calls: DirectCalls;
  readonly messages: DirectMessages;
  readonly message: OutgoingMessage;
  readonly metadata: JsonObject | undefined;
}

/** The answer as the server of the peer sends it. */
export class PeerSource implements AnswerSource {
  readonly isStrict = true;
  readonly isWrapped = false;
  readonly maxLength = BODY_LIMITS.agentResponse;
  readonly #options: PeerSourceOptions;
  #opened: OpenedDirectly | undefined;
  #isSent = false;

  constructor(options: PeerSourceOptions) {
    this.#options = options;
  }

  get isRepeatable(): boolean {
    return this.#opened?.hasToken === true;
  }

  async open(limits: OpeningLimits): Promise<OpenedAnswer | null> {
    const { calls, messages, message, metadata } = this.#options;
    if (!calls.mayReach(message)) return null;
    const onSent = () => {
      this.#isSent = true;
    };
    const opened = await calls.open(message, { ...limits, onSent });
    if (opened === null) return null;
    this.#opened = opened;
    // Until its end is read, its state is at the peer, also when nobody reads on.
    if (!messages.has(message.messageId)) {
      messages.add(opened.reply ?? this.toReply(NOT_ENDED), metadata);
    }
    return opened;
  }

  toReply(response: JsonObject): PeerReply {
    if (exceededJsonLimit(JSON.stringify(response)) !== undefined) return this.refused('too-complex');
    return replyOf({ kind: 'responded', body: response }, this.#options.message);
  }

  refused(limit: 'too-large' | 'too-complex'): PeerReply {
    const code = limit === 'too-large' ? 'agent_answer_too_large' : 'agent_answer_invalid';
    return replyOf({ kind: 'invalid', code }, this.#options.message);
  }

  broken(cause: unknown): unknown {
    return deliveryUnknown(cause, this.#opened?.url ?? '', this.#options.message.messageId);
  }

  leave(): void {
    if (this.#opened !== undefined) this.#options.messages.forget(this.#options.message.messageId);
  }

  cancel(): void {
    if (this.#isSent) this.#options.calls.abandon(this.#options.message);
  }
}
