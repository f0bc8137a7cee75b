import type { JsonObject, OwnEnd, Question } from '@molecule-ai/protocol';
import type { ReplyContent } from '../../client/reply.ts';
import type {
  ArrivalEnd,
  InboundRefusal,
  InboundResult,
  InboundStream,
} from '../../inbound-http/inbound-agent.ts';
import { GAVE_UP_TEXT } from '../handling/rules.ts';
import type { MessageEnd } from '../inbound-state.ts';
import { type Arrival, type KeptEnd, taskIdOf, taskKeys } from './arrival.ts';

/** How long a caller waits before it sends a message again that was not accepted, in seconds. */
const RETRY_SECONDS = 5;
const STARTING_SECONDS = 1;

type About = Pick<KeptEnd, 'row' | 'messageId' | 'contextId' | 'use'>;

export function aboutOf({ message, use }: Arrival): About {
  return { row: message.id, messageId: message.messageId, contextId: message.contextId, use };
}

/** The ids of a message for whoever sent it. */
export function idsOf(arrival: Arrival): Pick<InboundStream, 'taskId' | 'messageId' | 'contextId'> {
  const { messageId, contextId } = arrival.message;
  return { taskId: taskIdOf(aboutOf(arrival)), messageId, contextId };
}

export function keysOf({ message, use }: Arrival): string[] {
  const { id: row, messageId, sourceId } = message;
  return taskKeys({ use, sourceId, row, messageId });
}

export function ended(about: About, end: ArrivalEnd): InboundResult {
  const { messageId, contextId } = about;
  return { kind: 'ended', taskId: taskIdOf(about), messageId, contextId, end };
}

/** The message was accepted and has not ended. */
export function working(arrival: Arrival, at: string): InboundResult {
  const about = aboutOf(arrival);
  const { messageId, contextId } = about;
  return { kind: 'working', taskId: taskIdOf(about), messageId, contextId, at };
}

export function endOfAnswer(
  { text, parts, metadata }: ReplyContent,
  messageId: string,
  at: string,
): ArrivalEnd {
  const answer = {
    messageId,
    text,
    ...(parts === undefined ? {} : { parts }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  const state = questionsIn(metadata).length > 0 ? 'input_required' : 'answered';
  return { state, at, answer, error: null };
}

/** The end that a late message reports instead of an answer. */
export function endOfNotice(text: string, { state, code }: OwnEnd, at: string): ArrivalEnd {
  const error = { message: text, ...(code === undefined ? {} : { code }) };
  return state === 'failed' ? endOfOutcome({ outcome: state, error }, at) : unanswered(at);
}

export function unanswered(at: string): ArrivalEnd {
  return { state: 'unanswered', at, answer: null, error: null };
}

export function endOfOutcome({ outcome, error }: MessageEnd, at: string): ArrivalEnd {
  if (outcome === 'failed') {
    const { message = GAVE_UP_TEXT, code = 'handler_failed' } = error ?? {};
    return { state: 'failed', at, answer: null, error: { message, code } };
  }
  return { state: outcome === 'canceled' ? 'canceled' : 'unanswered', at, answer: null, error: null };
}

export function questionsIn(metadata: JsonObject | undefined): Question[] {
  return Array.isArray(metadata?.questions) ? (metadata.questions as unknown as Question[]) : [];
}

/** Whether a repeat is another message than the one that is handled. */
export function isOther(arrival: Arrival, known: Arrival | undefined): boolean {
  const digests = [arrival.digest, known?.digest ?? ''];
  return !digests.includes('') && digests[0] !== digests[1];
}

export const CONFLICT = refused({
  status: 409,
  code: 'message_id_conflict',
  message: 'The messageId was used before with another message.',
  hint: 'Use a new messageId.',
});

export const EXPIRED_ANSWER = refused({
  status: 410,
  code: 'answer_expired',
  message: 'The message was handled before, and its answer is no longer kept.',
});

export const CLOSED = notAccepting('The agent does not accept messages at the moment.');
/** The platform pushes what it has stored as soon as the agent has registered, a moment before the agent runs. */
export const STARTING = notAccepting('The agent is starting.', STARTING_SECONDS);

export function notAccepting(message: string, retryAfterSeconds = RETRY_SECONDS): InboundResult {
  return refused({ status: 503, code: 'not_accepting', message, retryAfterSeconds });
}

function refused(refusal: InboundRefusal): InboundResult {
  return { kind: 'refused', refusal };
}
