import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { MessageFailure } from '../errors/message-failure.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { fenceRepeatably } from '../peers/text-for-model.ts';
import { cutText } from './reply-outcome.ts';

const MAX_QUESTIONS = 20;
const MAX_TEXT_LENGTH = 20_000;
/** As much as a platform takes, in bytes of JSON. */
const MAX_DATA_BYTES = 32 * 1024;

/** Who decides whether an action may be done: the user of the agent's canvas, or the sender where that is the user. */
export type Approvals = 'user' | 'sender-when-user';

/** The answer to one question. */
export type QuestionAnswer = InboundMessage['answers'][number];

type Answering = Pick<InboundMessage, 'source' | 'sourceId'>;

/** Whom an approval is asked of. */
export function approverOf(
  approvals: Approvals,
  { source }: Pick<InboundMessage, 'source'>,
): 'user' | 'sender' {
  return approvals === 'sender-when-user' && source === 'canvas_user' ? 'sender' : 'user';
}

/** Checks that a message can be asked so many questions. @throws MessageFailure `nobody_to_ask`, `too_many_questions` */
export function checkQuestions(
  count: number,
  { expectsAnswer }: Pick<InboundMessage, 'expectsAnswer'>,
): void {
  if (!expectsAnswer) {
    const text = 'The agent waits for an answer where nobody can be asked.';
    throw new MessageFailure(text, { code: 'nobody_to_ask' });
  }
  if (count <= MAX_QUESTIONS) return;
  const text = 'The agent asked more questions at once than a message can have.';
  throw new MessageFailure(text, { code: 'too_many_questions' });
}

/** The data of an approval: the whole action. Nobody approves what nobody could read. @throws MessageFailure `action_too_large` */
export function shownWhole(action: unknown): JsonValue {
  const data = dataOfQuestion(action);
  if (data !== undefined) return data;
  throw cannotAsk('action_too_large', {
    problem:
      'An action to approve has more than 32 KiB of JSON, or no form as JSON, and cannot be shown whole.',
    hint: 'Let the action name what it acts on, such as a file, instead of containing it.',
  });
}

/** The value as JSON shows it; `undefined` when it has no such form, or one of more than 32 KiB. */
export function dataOfQuestion(value: unknown): JsonValue | undefined {
  try {
    const json = JSON.stringify(value);
    return new TextEncoder().encode(json).length > MAX_DATA_BYTES ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The text of a question, cut at 20 000 UTF-16 units. @param otherwise for what is not a text, or a blank one */
export function textOfQuestion(text: unknown, otherwise: string): string {
  return cutText(typeof text === 'string' && text.trim() !== '' ? text : otherwise, MAX_TEXT_LENGTH);
}

/** The sender gets no reason: it is the agent that has to be changed, and the reason is the cause. */
export function cannotAsk(
  code: string,
  { problem, hint }: { readonly problem: string; readonly hint: string },
): MessageFailure {
  return new MessageFailure('The agent cannot ask what it needs to continue.', {
    code,
    cause: new ConfigurationError(problem, { hint }),
  });
}

/** Whether an answer approves. Free text approves nothing, and neither does a sender that is not the user. */
export function isApproved(answer: QuestionAnswer | undefined, { source }: Answering): boolean {
  const isEntitled = answer?.by === 'user' || answer?.by === 'operator' || source === 'canvas_user';
  return isEntitled && answer?.decision === 'approve';
}

/** The words of an answer, else its decision; those of a peer in a fence. */
export function textOfAnswer(answer: QuestionAnswer | undefined, { source, sourceId }: Answering): string {
  const { text = '', by = 'sender', decision = null } = answer ?? {};
  if (text === '') return decision ?? '';
  return by === 'sender' && source !== 'canvas_user' ? fenceRepeatably(text, { origin: sourceId }) : text;
}

/** For an answer to what no run waits for any more. */
export function questionSuperseded(): MessageFailure {
  return new MessageFailure('The agent no longer waits for this answer.', { code: 'question_superseded' });
}
