import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { MessageFailure } from '../errors/message-failure.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { fenceRepeatably } from '../peers/text-for-model.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { processState } from '../storage/process-state.ts';
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

const MAX_DEPTH = 500;
const MAX_USED = 10_000;
const VERSION = 'molecule-approval-1';

/** What is approved: changed in any of it, it is another call. */
export interface ApprovalContent {
  readonly conversationId: string;
  /** The framework's id of the tool call. */
  readonly callId: string;
  readonly toolName: string;
  /** The arguments, as plain JSON of up to 500 levels. The order of keys does not count. */
  readonly input: unknown;
}

/** Approvals that pass through the hands of a client, which could make its own. */
export interface ApprovalSigner {
  /**
   * The id of an approval with a signature of what it is for, as a client gets that in JSON.
   * @throws RangeError when the input has more than 500 levels.
   */
  sign(approvalId: string, content: ApprovalContent): string;
  /** The id that was signed; `undefined` when exactly this content, as it was parsed from JSON, was not signed with it here. */
  verify(signed: string, content: ApprovalContent): string | undefined;
}

/**
 * @param secret the same for all processes that open each other's signatures, and after a restart
 * @default a random one of this process
 */
export function approvalSigner(secret?: string): ApprovalSigner {
  const key = secret ?? processState('approval-key', () => ({ bytes: randomBytes(32) })).bytes;
  const signatureOf = (approvalId: string, { conversationId, callId, toolName, input }: ApprovalContent) =>
    createHmac('sha256', key)
      .update(JSON.stringify([VERSION, conversationId, approvalId, callId, toolName, canonical(input)]))
      .digest('base64url');
  return {
    sign(approvalId, content) {
      // As a client gets it.
      const json: string | undefined = JSON.stringify(content.input);
      const input: unknown = JSON.parse(json ?? 'null');
      if (!isWithin(MAX_DEPTH, input)) throw new RangeError(`An input has ${MAX_DEPTH} levels at most.`);
      return `${approvalId}.${signatureOf(approvalId, { ...content, input })}`;
    },
    verify(signed, content) {
      const at = signed.lastIndexOf('.');
      if (at === -1 || !isWithin(MAX_DEPTH, content.input)) return undefined;
      const approvalId = signed.slice(0, at);
      const given = Buffer.from(signed.slice(at + 1));
      const expected = Buffer.from(signatureOf(approvalId, content));
      return given.length === expected.length && timingSafeEqual(given, expected) ? approvalId : undefined;
    },
  };
}

/**
 * Marks approvals as used, all or none. `false` when this process has marked one of them before, among its latest 10 000.
 */
export function useApprovals(signed: readonly string[]): boolean {
  const used = usedApprovals();
  if (signed.some((each) => used.has(each))) return false;
  for (const each of signed) used.set(each, true);
  return true;
}

/** For approvals whose call was not begun. */
export function releaseApprovals(signed: readonly string[]): void {
  for (const each of signed) usedApprovals().delete(each);
}

function usedApprovals(): LatestMap<true> {
  return processState('used-approvals', () => new LatestMap<true>(MAX_USED));
}

function isWithin(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isWithin(levels - 1, each));
}

/** JSON in which the order of keys does not count. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  // JSON.parse makes them of 1e999 and -0, and JSON.stringify null and 0.
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { number: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return { entries: entries.map(([key, each]) => [key, canonical(each)]) };
}
