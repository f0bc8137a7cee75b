import {
  ConfigurationError,
  type InboundMessage,
  MessageFailure,
  MoleculeError,
  type QuestionToAsk,
} from '@molecule-ai/core';
import {
  type Approvals,
  approverOf,
  checkQuestions,
  isApproved,
  type QuestionAnswer,
  shownWhole,
  textOfAnswer,
  textOfQuestion,
  valueDigest,
} from '@molecule-ai/core/tools';
import type { ModelMessage, ToolModelMessage } from 'ai';

/** With the rest, an id of a question has at most 200 characters. */
const MAX_RUN_LENGTH = 149;
const QUESTION_ID = /^ai-sdk\.(?<digest>[\w-]{43})\.(?<runId>[\s\S]+)$/;

/** A call that waits for an approval, as it is stored. */
export interface PendingApproval {
  readonly approvalId: string;
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
  /** Why the application asks. */
  readonly reason: unknown;
  /** Whether the provider of the model runs the tool. */
  readonly isProviders: boolean;
}

/** The answers of the platform to the questions of one run. */
export interface ApprovalAnswers {
  /** The message whose run asked. */
  readonly runId: string;
  readonly byDigest: ReadonlyMap<string, QuestionAnswer>;
}

/**
 * The calls of the last step that wait for an approval.
 * @throws MessageFailure `ambiguous_approval` for ids that are not unique: the AI SDK would do another call than the one that is shown
 */
export function pendingApprovals(messages: readonly ModelMessage[]): PendingApproval[] {
  const { calls, requests, responses, results } = lastStepOf(messages);
  const asking = new Set(requests.map(({ toolCallId }) => toolCallId));
  const approvalIds = new Set(requests.map(({ approvalId }) => approvalId));
  const asked = calls.filter(({ toolCallId }) => asking.has(toolCallId));
  if (approvalIds.size < requests.length || asking.size < requests.length || asked.length > asking.size)
    throw ambiguousApproval();
  return requests.flatMap(({ approvalId, toolCallId, isAutomatic, reason }) => {
    const call = calls.find((each) => each.toolCallId === toolCallId);
    if (call === undefined || isAutomatic === true) return [];
    if (responses.has(approvalId) || results.has(toolCallId)) return [];
    const { toolName, input, providerExecuted } = call;
    return [{ approvalId, toolCallId, toolName, input, reason, isProviders: providerExecuted === true }];
  });
}

function ambiguousApproval(): MessageFailure {
  return new MessageFailure('The agent cannot ask which of its actions may be done.', {
    code: 'ambiguous_approval',
    cause: new MoleculeError('Calls or approvals of one step have the same id.', {
      code: 'handler_failed',
      hint: 'The model must give each call of a step an id of its own. A run that the store has may have been edited.',
    }),
  });
}

/** A call that nobody runs. */
export type OpenCall = Pick<PendingApproval, 'toolCallId' | 'toolName'>;

/** The calls of the last step to tools without `execute`. */
export function openCalls(messages: readonly ModelMessage[]): OpenCall[] {
  const { calls, requests, results } = lastStepOf(messages);
  const asked = new Set(requests.map(({ toolCallId }) => toolCallId));
  return calls.filter(
    ({ toolCallId, providerExecuted }) =>
      providerExecuted !== true && !results.has(toolCallId) && !asked.has(toolCallId),
  );
}

/** Results for the calls that end a run: no model accepts a conversation with open calls. */
export function closingResults(messages: readonly ModelMessage[]): ToolModelMessage[] {
  const content = openCalls(messages).map(({ toolCallId, toolName }) => ({
    type: 'tool-result' as const,
    toolCallId,
    toolName,
    output: { type: 'text' as const, value: 'This call ended the work on the message.' },
  }));
  return content.length === 0 ? [] : [{ role: 'tool', content }];
}

export function toolWithoutExecute(name: string): MessageFailure {
  return new MessageFailure('The agent called a tool that nobody runs.', {
    code: 'tool_without_execute',
    cause: new ConfigurationError(`The tool ${name} has no execute().`, {
      hint: 'Give it one, or end runs with it by `stopWhen` and take the answer of its call in the option `output`.',
    }),
  });
}

/** For a run that ended without an answer; `undefined` for others. */
export function endWithoutAnswer({
  finishReason,
  text,
}: {
  readonly finishReason: string;
  readonly text: string;
}): unknown {
  const [code, sentence] = ENDS.get(finishReason) ?? [];
  if (code === undefined || (code === 'answer_too_long' && text.trim() !== '')) return undefined;
  if (code !== 'unfinished') return new MessageFailure(sentence ?? '', { code });
  const hint = 'The provider ended it with an error that it did not name. The message is tried again.';
  return new MoleculeError('The model did not finish.', { code: 'handler_failed', hint, isRetryable: true });
}

const ENDS: ReadonlyMap<string, readonly [code: string, sentence?: string]> = new Map([
  ['tool-calls', ['too_many_steps', 'The agent did not come to an end within its number of steps.']],
  ['content-filter', ['content_filtered', 'The provider of the model withheld the answer.']],
  ['length', ['answer_too_long', 'The model reached its length limit before it answered.']],
  ['error', ['unfinished']],
  ['interrupted', ['unfinished']],
]);

/**
 * A question for each approval. Its id names the run and the call as it is shown.
 * @throws MessageFailure when nobody can be asked, for more than 20, and `action_too_large`
 */
export function questionsOf(
  pending: readonly PendingApproval[],
  message: Pick<InboundMessage, 'source' | 'expectsAnswer'>,
  { approvals, runId }: { readonly approvals: Approvals; readonly runId: string },
): QuestionToAsk[] {
  checkQuestions(pending.length, message);
  if (runId.length > MAX_RUN_LENGTH) {
    throw new MessageFailure('The agent cannot ask about this message: its id is too long.');
  }
  const from = approverOf(approvals, message);
  return pending.map((each) => ({
    id: `ai-sdk.${digestOf(each, runId)}.${runId}`,
    kind: 'approval',
    text: textOfQuestion(each.reason, `May the tool ${each.toolName} be run?`),
    data: shownWhole({ action: each.toolName, args: each.input }),
    from,
  }));
}

/** Reads the answers to questions of {@link questionsOf}; `null` for those to other questions, and without any. */
export function answersOf({ answers }: Pick<InboundMessage, 'answers'>): ApprovalAnswers | null {
  const byDigest = new Map<string, QuestionAnswer>();
  let asking: string | undefined;
  for (const answer of answers) {
    const { digest, runId } = QUESTION_ID.exec(answer.questionId)?.groups ?? {};
    if (digest === undefined || runId === undefined) continue;
    asking ??= runId;
    if (runId === asking) byDigest.set(digest, answer);
  }
  return asking === undefined ? null : { runId: asking, byDigest };
}

/**
 * The responses to pending approvals, `null` when none of them was asked for. Only what the platform says about a call exactly as it
 * was shown approves it.
 */
export function responsesTo(
  pending: readonly PendingApproval[],
  { runId, byDigest }: ApprovalAnswers,
  message: Pick<InboundMessage, 'id' | 'source' | 'sourceId'>,
): ToolModelMessage | null {
  const given = pending.map((each) => ({ each, answer: byDigest.get(digestOf(each, runId)) }));
  if (given.every(({ answer }) => answer === undefined)) return null;
  return {
    role: 'tool',
    providerOptions: { molecule: { messageId: message.id } },
    content: given.map(({ each, answer }) => {
      const reason = reasonOf(answer, message);
      return {
        type: 'tool-approval-response',
        approvalId: each.approvalId,
        approved: isApproved(answer, message),
        ...(reason === '' ? {} : { reason }),
        ...(each.isProviders ? { providerExecuted: true } : {}),
      };
    }),
  };
}

/** Whether the answers of a message are in a run already. */
export function hasResponsesOf(messages: readonly ModelMessage[], messageId: string): boolean {
  return messages.some(
    ({ role, providerOptions }) => role === 'tool' && providerOptions?.molecule?.messageId === messageId,
  );
}

function reasonOf(
  answer: QuestionAnswer | undefined,
  message: Pick<InboundMessage, 'source' | 'sourceId'>,
): string {
  if (answer === undefined) return 'Nobody was asked about this action.';
  return answer.text.trim() === '' ? '' : textOfAnswer(answer, message);
}

function digestOf({ approvalId, toolCallId, toolName, input }: PendingApproval, runId: string): string {
  return valueDigest(sorted([runId, approvalId, toolCallId, toolName, input])) ?? '';
}

/** The value with the keys of its objects in order: a database may change it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type AssistantPart = Exclude<Extract<ModelMessage, { role: 'assistant' }>['content'], string>[number];
type Part<Type> = Extract<AssistantPart, { type: Type }>;

interface LastStep {
  readonly calls: readonly Part<'tool-call'>[];
  readonly requests: readonly (Part<'tool-approval-request'> & {
    readonly isAutomatic?: boolean;
    readonly reason?: string;
  })[];
  /** Ids of the approvals that have a response. */
  readonly responses: ReadonlySet<string>;
  /** Ids of the calls that have a result. */
  readonly results: ReadonlySet<string>;
}

function lastStepOf(messages: readonly ModelMessage[]): LastStep {
  const at = messages.findLastIndex(({ role }) => role === 'assistant');
  const content = messages[at]?.content ?? [];
  const parts = (typeof content === 'string' ? [] : content) as readonly AssistantPart[];
  const later = messages.slice(at + 1).flatMap((message) => (message.role === 'tool' ? message.content : []));
  const own = [...parts, ...later];
  return {
    calls: parts.filter((part) => part.type === 'tool-call'),
    requests: parts.filter((part) => part.type === 'tool-approval-request'),
    responses: new Set(
      own.flatMap((part) => (part.type === 'tool-approval-response' ? part.approvalId : [])),
    ),
    results: new Set(own.flatMap((part) => (part.type === 'tool-result' ? part.toolCallId : []))),
  };
}
