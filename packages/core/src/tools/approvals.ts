import crypto from 'node:crypto';
import type { AnsweredQuestion, InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { MessageFailure } from '../errors/message-failure.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { QuestionToAsk } from '../inbound/handler.ts';
import { fencePeerText, ownWords } from '../trust-boundary/fence.ts';
import { cutText } from './reply-outcome.ts';

const MAX_QUESTIONS = 20;
const MAX_TEXT_LENGTH = 20_000;
/** As much as a platform takes, in bytes of JSON. */
const MAX_DATA_BYTES = 32 * 1024;
/** With the rest, an id of a question has at most 200 characters. */
const MAX_RUN_LENGTH = 149;
const QUESTION_ID = /^run\.(?<digest>[\w-]{43})\.(?<run>[\s\S]+)$/;

/** Who decides whether an action may be done: the user of the agent's canvas, or the sender where that is the user. */
export type Approvals = 'user' | 'sender-when-user';

/** What a run of a framework waits for. */
export interface PendingQuestion {
  /** What is asked, as plain JSON. An answer counts for exactly this, so of an approval it has the whole action. */
  readonly about: unknown;
  readonly kind: 'approval' | 'text';
  /** For people, cut at 20 000 UTF-16 units. A blank one, or what is not a text, is replaced by `otherwise`. */
  readonly text: unknown;
  /** @default the data as JSON */
  readonly otherwise?: string | undefined;
  /** Shown beside the text. Of an approval the whole action, at most 32 KiB of JSON; other data is left out when it has more. */
  readonly data?: unknown;
  /** Who answers a question of kind `text`. @default 'user' */
  readonly from?: 'user' | 'sender' | undefined;
}

/** The answers to questions of one run. */
export interface RunAnswers {
  /** The name of the run that asked. */
  readonly run: string;
  /** The answer to what was asked about exactly this; `undefined` for none. */
  to(about: unknown): RunAnswer | undefined;
}

export interface RunAnswer {
  /** Free text approves nothing, and neither does a sender that is not the user. */
  readonly isApproved: boolean;
  /** The words of the answer for a model, those of a peer in a fence; without words the decision. */
  readonly text: string;
  readonly hasWords: boolean;
}

export interface AskingOptions {
  readonly approvals: Approvals;
  /** Names the run, at most 149 UTF-16 units. */
  readonly run: string;
}

/**
 * The questions for what a run waits for.
 * @throws MessageFailure `nobody_to_ask`, `too_many_questions` for more than 20, `action_too_large`
 */
export function questionsOf(
  pending: readonly PendingQuestion[],
  { expectsAnswer, source }: Pick<InboundMessage, 'expectsAnswer' | 'source'>,
  { approvals, run }: AskingOptions,
): QuestionToAsk[] {
  if (!expectsAnswer) {
    throw new MessageFailure('The agent waits for an answer where nobody can be asked.', {
      code: 'nobody_to_ask',
    });
  }
  if (pending.length > MAX_QUESTIONS) {
    throw new MessageFailure('The agent asked more questions at once than a message can have.', {
      code: 'too_many_questions',
    });
  }
  if (run.length > MAX_RUN_LENGTH) {
    throw new MessageFailure('The agent cannot ask about this message: its id is too long.');
  }
  const approver = approvals === 'sender-when-user' && source === 'canvas_user' ? 'sender' : 'user';
  return pending.map(({ about, kind, text, otherwise, data: given, from = 'user' }) => {
    const data = shownData(given);
    // Nobody approves what nobody could read.
    if (kind === 'approval' && data === undefined) throw actionTooLarge();
    const asked = typeof text === 'string' && text.trim() !== '' ? text : (otherwise ?? textOfData(data));
    return {
      id: `run.${digestOf(run, about)}.${run}`,
      kind,
      text: cutText(asked, MAX_TEXT_LENGTH),
      ...(kind === 'approval' || (typeof data === 'object' && data !== null) ? { data } : {}),
      from: kind === 'approval' ? approver : from,
    };
  });
}

/** Reads the answers to questions of {@link questionsOf}; `null` without any. */
export function answersOf(
  message: Pick<InboundMessage, 'answers' | 'source' | 'sourceId'>,
): RunAnswers | null {
  const byDigest = new Map<string, AnsweredQuestion>();
  let asking: string | undefined;
  for (const answer of message.answers) {
    const { digest, run } = QUESTION_ID.exec(answer.id)?.groups ?? {};
    if (digest === undefined || run === undefined) continue;
    asking ??= run;
    if (run === asking) byDigest.set(digest, answer);
  }
  const run = asking;
  if (run === undefined) return null;
  return {
    run,
    to(about) {
      const answer = byDigest.get(digestOf(run, about));
      return answer && readAnswer(answer, message);
    },
  };
}

function readAnswer(
  { by, decision, answer: text }: AnsweredQuestion,
  { source, sourceId }: Pick<InboundMessage, 'source' | 'sourceId'>,
): RunAnswer {
  const isUser = by === 'user' || by === 'operator' || source === 'canvas_user';
  const words = by === 'sender' && source !== 'canvas_user' && text !== '';
  return {
    isApproved: isUser && decision === 'approve',
    text: words ? fencePeerText(text, { origin: sourceId }) : ownWords(text || (decision ?? '')),
    hasWords: text.trim() !== '',
  };
}

/** The value as JSON shows it; `undefined` when it has no such form, or one of more than 32 KiB. */
function shownData(value: unknown): JsonValue | undefined {
  try {
    const json = JSON.stringify(value);
    return new TextEncoder().encode(json).length > MAX_DATA_BYTES ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

function textOfData(data: JsonValue | undefined): string {
  return JSON.stringify(data) ?? 'The agent waits for an answer.';
}

/** The sender gets no reason: it is the agent that has to be changed, and the reason is the cause. */
function actionTooLarge(): MessageFailure {
  return new MessageFailure('The agent cannot ask what it needs to continue.', {
    code: 'action_too_large',
    cause: new ConfigurationError(
      'An action to approve has more than 32 KiB of JSON, or no form as JSON, and cannot be shown whole.',
      { hint: 'Let the action name what it acts on, such as a file, instead of containing it.' },
    ),
  });
}

function digestOf(run: string, about: unknown): string {
  return crypto.hash('sha256', JSON.stringify(sorted([run, about])), 'base64url');
}

/** The value with the keys of its objects in order: a database may change it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
