import { ConfigurationError, MessageFailure, MoleculeError } from '@molecule-ai/core';
import type { PendingQuestion, RunAnswers } from '@molecule-ai/core/adapter-kit';
import type { ModelMessage, ToolModelMessage } from 'ai';

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

/** What is asked for a call that waits for an approval: about the call exactly as it is shown. */
export function questionOf({
  approvalId,
  toolCallId,
  toolName,
  input,
  reason,
}: PendingApproval): PendingQuestion {
  return {
    about: [approvalId, toolCallId, toolName, input],
    kind: 'approval',
    text: reason,
    otherwise: `May the tool ${toolName} be run?`,
    data: { action: toolName, args: input },
  };
}

/** The responses to pending approvals, `null` when none of them was asked for. */
export function responsesTo(
  pending: readonly PendingApproval[],
  answers: RunAnswers,
  messageId: string,
): ToolModelMessage | null {
  const given = pending.map((each) => ({ each, answer: answers.to(questionOf(each).about) }));
  if (given.every(({ answer }) => answer === undefined)) return null;
  return {
    role: 'tool',
    providerOptions: { molecule: { messageId } },
    content: given.map(({ each, answer }) => ({
      type: 'tool-approval-response',
      approvalId: each.approvalId,
      approved: answer?.isApproved === true,
      ...(answer === undefined ? { reason: 'Nobody was asked about this action.' } : {}),
      ...(answer?.hasWords === true ? { reason: answer.text } : {}),
      ...(each.isProviders ? { providerExecuted: true } : {}),
    })),
  };
}

/** Whether the answers of a message are in a run already. */
export function hasResponsesOf(messages: readonly ModelMessage[], messageId: string): boolean {
  return messages.some(
    ({ role, providerOptions }) => role === 'tool' && providerOptions?.molecule?.messageId === messageId,
  );
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
