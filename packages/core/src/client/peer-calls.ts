import { randomUUID } from 'node:crypto';
import { buildSendMessage, type JsonObject, routes, type SendMessageRequest } from '@molecule-ai/protocol';
import { type Facts, withTraceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/peer-reply.ts';
import { send } from '../platform-api/call.ts';
import { isFailedDelivery } from '../transport/api-failure.ts';
import type { Transport } from '../transport/transport.ts';
import { checkCallArguments } from './call-arguments.ts';
import { answerKeyOf, WITHOUT_JOINED_TEXT, withWayToAnswer } from './message-state.ts';
import { type AnswerOfUser, type AnswerToQuestion, requireQuestions } from './questions.ts';

const MARGIN_MS = 5_000;
const MARGIN_SHARE = 0.2;
const MAX_HOLD_SECONDS = 300;
/** Why an agent aborts the signal of a handler that it runs again later. */
const INTERRUPTIONS: ReadonlySet<string> = new Set(['agent_stopped', 'workspace_paused', 'timed_out']);
/** Who cannot stream may respond with JSON. */
export const ACCEPT_STREAM = { accept: 'text/event-stream, application/json' };

export interface CallPeerOptions {
  /**
   * Aborts the call, which then rejects with the signal's reason, and cancels the message where the platform offers it.
   * Nothing is canceled when an agent interrupts a handler that it runs again and the call has a `messageId` of its own.
   */
  signal?: AbortSignal | undefined;
  /** Messages with the same id are one message, however often it is sent. @default a new UUID */
  messageId?: string | undefined;
  /** The conversation it belongs to: `PeerReply.contextId` continues one. @default a new one; an operator's default one */
  contextId?: string | undefined;
  /** Total time limit including retries, in milliseconds; the platform holds the call slightly shorter. @default `callTimeoutMs`, 30_000 */
  timeoutMs?: number | undefined;
  /** Any JSON data. */
  metadata?: JsonObject | undefined;
  /**
   * Answers to questions of kind `text` of the peer (`PeerReply.questions`). Without a text of its own, an answer has that of
   * the message. The peer gets the answers to all of its questions together, in the conversation in which it asked.
   */
  answers?: readonly AnswerToQuestion[] | undefined;
  /** `proxy` sends through the platform only, which keeps the message and its state. @default as `directCalls` says */
  via?: 'proxy' | undefined;
}

export interface StreamPeerOptions extends Omit<CallPeerOptions, 'timeoutMs'> {
  /**
   * Total time limit, in milliseconds; then the reply is `queued`, with what was read in `text`.
   * @default none: the reply is `queued` after five minutes without new text
   */
  timeoutMs?: number | undefined;
}

/** Of a message of the user. */
export interface SendMessageOptions extends Omit<CallPeerOptions, 'answers' | 'via'> {
  /** Answers to questions of the agent, of any kind: an approval takes a decision. */
  answers?: readonly AnswerOfUser[] | undefined;
}

/** Of a message of the user whose answer is streamed. */
export interface StreamMessageOptions
  extends Omit<SendMessageOptions, 'timeoutMs'>,
    Pick<StreamPeerOptions, 'timeoutMs'> {}

/** A message with all that identifies it, the same on every path and in every repeat. */
export interface OutgoingMessage {
  readonly targetId: string;
  readonly messageId: string;
  /** `''` when it names none. */
  readonly contextId: string;
  readonly body: SendMessageRequest;
  /** Whether the caller gave the message id, and can repeat the message. */
  readonly hasOwnId: boolean;
  /** The arguments of the client's `waitForAnswer` and `getMessage` for it, as code. */
  readonly answerKey: string;
  /** Called with each attempt to send it. */
  readonly onAttempt?: ((attempt: Facts) => void) | undefined;
}

interface ComposeOptions
  extends Pick<
    SendMessageOptions,
    'messageId' | 'contextId' | 'metadata' | 'answers' | 'timeoutMs' | 'signal'
  > {
  readonly isInNewContext: boolean;
}

/** @throws MoleculeError `invalid_argument` for a blank text and wrong values, `not_supported` for answers on a platform without questions. */
export function composeMessage(
  transport: Transport,
  targetId: string,
  text: string,
  options: ComposeOptions,
): OutgoingMessage {
  checkCallArguments({ ...options, targetId, text });
  const metadata = metadataOf(transport, options);
  const messageId = options.messageId ?? randomUUID();
  // A new conversation has the id of its first message, so that a repeat is the same message. Answers stay where the question was asked.
  const isInNewContext = options.isInNewContext && options.answers === undefined;
  const contextId = options.contextId ?? (isInNewContext ? messageId : undefined);
  return {
    targetId,
    messageId,
    contextId: contextId ?? '',
    body: buildSendMessage({ messageId, text, contextId, metadata }),
    hasOwnId: options.messageId !== undefined,
    answerKey: answerKeyOf(transport, targetId, messageId),
  };
}

interface ProxyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** How long the platform may hold the request for the answer, in whole seconds. @default slightly shorter than the time limit */
  readonly holdSeconds?: number | undefined;
  readonly isWrapped: boolean;
  /** The caller aborted the call after the message may have reached the platform. */
  readonly onAbandoned: (messageId: string) => void;
}

/** Sends one message through the platform and returns the answer. Retries use the same message id. */
export async function sendThroughProxy(
  transport: Transport,
  message: OutgoingMessage,
  options: ProxyOptions,
): Promise<PeerReply> {
  const { timeoutMs, signal, isWrapped } = options;
  const { targetId, messageId, contextId, body } = message;
  const facts = { peerId: targetId, messageId, contextId, isWrapped };
  let isSent = false;
  message.onAttempt?.({ 'molecule.via': 'proxy' });
  try {
    const response = await send(transport, routes.sendMessage, {
      params: { id: targetId },
      body,
      timeoutMs,
      totalTimeoutMs: timeoutMs,
      holdSeconds: options.holdSeconds ?? holdSecondsFor(timeoutMs),
      headers: withTraceHeaders(WITHOUT_JOINED_TEXT),
      goneWorkspaceId: targetId,
      relaysPeerText: true,
      signal,
      onSent: () => {
        isSent = true;
      },
    });
    const hasNamedState = transport.capabilities.words.has('outcomes');
    return readReply(response.body, { ...facts, hasNamedState });
  } catch (error) {
    if (isSent && signal?.aborted === true && error === signal.reason) {
      if (!isRepeatedLater(error, message)) options.onAbandoned(messageId);
      throw error;
    }
    if (isEndOfMessage(error)) return readReply(error.details, facts);
    throw withWayToAnswer(transport, error, message);
  }
}

function metadataOf(transport: Transport, { answers, metadata }: ComposeOptions): JsonObject | undefined {
  if (answers === undefined) return metadata;
  requireQuestions(transport);
  const given = answers.map(({ questionId, decision, text }) => ({
    question_id: questionId,
    ...(decision === undefined ? {} : { decision }),
    ...(text === undefined ? {} : { text }),
  }));
  return { ...metadata, answers: given };
}

/** The platform gives up a message with an HTTP error: the message has failed, as its record says. */
export function isEndOfMessage(error: unknown): error is ApiError {
  return ApiError.isInstance(error) && error.status >= 500 && isFailedDelivery(error.details);
}

/** How long a call with this timeout may be held for its answer: 25 s of 30 s, 1 to 300 s. */
export function holdSecondsFor(timeoutMs: number): number {
  const marginMs = Math.min(MARGIN_MS, timeoutMs * MARGIN_SHARE);
  return Math.min(MAX_HOLD_SECONDS, Math.max(1, Math.floor((timeoutMs - marginMs) / 1_000)));
}

/**
 * Whether an aborted call will be repeated: an agent that is stopped, paused or out of time hands the message to its
 * handler again, which then calls with the same message id.
 */
export function isRepeatedLater(reason: unknown, { hasOwnId }: Pick<OutgoingMessage, 'hasOwnId'>): boolean {
  return hasOwnId && MoleculeError.isInstance(reason) && INTERRUPTIONS.has(reason.code);
}
