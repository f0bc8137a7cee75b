import { ConfigurationError, type InboundMessage, type JsonValue, MessageFailure } from '@molecule-ai/core';
import type { PendingQuestion, RunAnswers } from '@molecule-ai/core/adapter-kit';

/** Of a message, in the name of a run. */
const MAX_ID_LENGTH = 80;

/** What a graph waits for. */
export interface PendingInterrupt {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly value: unknown;
  /** Whether it waits before or after a node, as it was compiled: it is resumed without a value. */
  readonly isStep: boolean;
}

/** What the humans decide on, as the human-in-the-loop middleware of LangChain interrupts with it. */
interface ActionsToReview {
  readonly actionRequests: readonly {
    readonly name: string;
    readonly args: unknown;
    readonly description?: string;
  }[];
  readonly reviewConfigs: readonly { readonly allowedDecisions: readonly string[] }[];
}

/** Names a run of a thread that asks in the handling of a message. */
export function runOf(threadKey: string, { id }: Pick<InboundMessage, 'id'>): string {
  return `${threadKey}.${id.slice(0, MAX_ID_LENGTH)}`;
}

/** The thread of {@link runOf}. */
export function threadOf({ run }: RunAnswers): string {
  return run.slice(0, run.indexOf('.'));
}

/**
 * What is asked for an interrupt: one question, or for one of the human-in-the-loop middleware an approval for each action.
 * @throws MessageFailure for what no answer could resume.
 */
export function questionsOf({ id, value }: PendingInterrupt): PendingQuestion[] {
  if (isActionsToReview(value)) {
    if (!value.actionRequests.every((_action, index) => allows(value, index, 'approve'))) {
      throw cannotAsk('approval_not_allowed', {
        problem: 'An action of humanInTheLoopMiddleware does not allow the decision "approve".',
        hint: 'Have "approve" in its `allowedDecisions`: the person who is asked can approve or reject.',
      });
    }
    return value.actionRequests.map(({ name, args, description }, index) => ({
      about: [id, index],
      kind: 'approval',
      text: description,
      otherwise: `May the tool ${name} be run?`,
      data: { action: name, args },
    }));
  }
  const isAction = isApproval(value);
  const { from, kind: _kind, ...fields }: Record<string, unknown> = isRecord(value) ? value : { value };
  if (!isAction && from !== undefined && from !== 'user' && from !== 'sender') {
    throw cannotAsk('invalid_interrupt', {
      problem: 'The value of interrupt() has a `from` that is neither "user" nor "sender".',
      hint: 'Ask the "sender" of the message or the "user", who is the default, or give the field another name.',
    });
  }
  const text = ['value', 'text', 'question', 'message', 'prompt']
    .map((name) => fields[name])
    .find((each) => typeof each === 'string' && each.trim() !== '');
  const isEmpty = Object.values(fields).every((each) => each === undefined || each === null || each === '');
  return [
    {
      about: [id, 0],
      kind: isAction ? 'approval' : 'text',
      text,
      otherwise: isEmpty ? 'Continue?' : undefined,
      data: value,
      from: from === 'sender' ? from : 'user',
    },
  ];
}

/** Whether a person answered what was asked for an interrupt. */
export function isAnswered(interrupt: PendingInterrupt, answers: RunAnswers): boolean {
  return questionsOf(interrupt).some(({ about }) => answers.to(about) !== undefined);
}

/**
 * What an interrupt is resumed with.
 * @throws MessageFailure when the user rejected what the agent offers no rejection for.
 */
export function resumeValueOf({ id, value, isStep }: PendingInterrupt, answers: RunAnswers): JsonValue {
  if (isActionsToReview(value)) {
    const decisions = value.actionRequests.map((_action, index) => {
      const answer = answers.to([id, index]);
      if (answer?.isApproved === true) return { type: 'approve' };
      if (!allows(value, index, 'reject')) {
        throw new MessageFailure('The action was rejected, and the agent does not continue without it.', {
          code: 'rejected',
        });
      }
      // Without words, LangChain names the rejected call to the model in its own.
      return { type: 'reject', ...(answer?.hasWords === true ? { message: answer.text } : {}) };
    });
    return { decisions };
  }
  const answer = answers.to([id, 0]);
  return isStep || isApproval(value) ? answer?.isApproved === true : (answer?.text ?? '');
}

/** The sender gets no reason: it is the agent that has to be changed, and the reason is the cause. */
function cannotAsk(
  code: string,
  { problem, hint }: { readonly problem: string; readonly hint: string },
): MessageFailure {
  const cause = new ConfigurationError(problem, { hint });
  return new MessageFailure('The agent cannot ask what it needs to continue.', { code, cause });
}

function allows({ reviewConfigs }: ActionsToReview, index: number, decision: string): boolean {
  return reviewConfigs[index]?.allowedDecisions.includes(decision) === true;
}

function isActionsToReview(value: unknown): value is ActionsToReview {
  return Array.isArray(fieldOf(value, 'actionRequests')) && Array.isArray(fieldOf(value, 'reviewConfigs'));
}

function isApproval(value: unknown): boolean {
  return fieldOf(value, 'kind') === 'approval';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
