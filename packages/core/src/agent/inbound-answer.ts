import { type AnsweredQuestion, type InboundMessage, originalIn } from '@molecule-ai/protocol';
import { type PeerReply, readReplyMessage } from '../peers/peer-reply.ts';
import { conversationOfContext } from '../tools/call-identity.ts';

/** The message that an answer is about. */
export interface OriginalMessage {
  /** The id that its sender gave it; `''` when the platform does not say. */
  readonly messageId: string;
  readonly contextId: string;
  /** The conversation in which the agent handled it, or in which it asked. */
  readonly conversationId: string;
  /** What it said, untrusted; `null` when the platform does not repeat it: it was sent directly, is no longer stored, or has more than 20 000 characters. */
  readonly text: string | null;
}

/** The answers to all questions that `onMessage` or `onAnswer` returned for a message. What is returned now ends that message, or asks again. */
export interface QuestionsAnswered {
  readonly kind: 'question';
  /** In the order in which they were asked. */
  readonly questions: readonly AnsweredQuestion[];
  /** The message that raised the questions. */
  readonly original: OriginalMessage;
  /** The message that brought the answers, from the sender of the original; for `messageForModel`. */
  readonly message: InboundMessage;
}

/** How a message ended that this agent sent, when no call waits for it any more. Nothing is sent back. */
export interface LateAnswer {
  readonly kind: 'late';
  /** What the call would have returned. */
  readonly reply: PeerReply;
  /** The message that this agent sent. */
  readonly original: OriginalMessage;
  /** The message that brought the end; for `messageForModel`. */
  readonly message: InboundMessage;
}

/** Not a new message: read {@link kind} first. */
export type InboundAnswer = QuestionsAnswered | LateAnswer;

/** The answer that a message brings; `null` for a new message. */
export function answerIn(message: InboundMessage): InboundAnswer | null {
  const { inReplyTo, answers, peerId, contextId } = message;
  if (inReplyTo === '' && answers.length === 0) return null;
  const { messageId, text } = originalIn(message.metadata);
  const conversationId =
    (inReplyTo === '' ? null : conversationOfContext(contextId)) ?? message.conversationId;
  const original = { messageId: inReplyTo || messageId, contextId, conversationId, text };
  if (inReplyTo === '') return { kind: 'question', questions: answers, original, message };
  const reply = readReplyMessage(message, { messageId: inReplyTo, peerId, contextId });
  return { kind: 'late', reply, original, message };
}
