import {
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessageState,
  messageStateOfTask,
  type StreamEnd,
  toA2a03Parts,
} from '@molecule-ai/protocol';
import type { MessageRow } from '../message.store.ts';
import { agentTask, withoutOwnMetadata } from '../outcome/agent-task.rules.ts';
import type { Outcome } from '../outcome/outcome.rules.ts';
import { type ResponseForm, taskResponse } from '../outcome/response.rules.ts';
import { statusOfAgentTask } from '../outcome/task-response.rules.ts';

/** An outcome as the last events of a stream say it, in the form of A2A 0.3. The text and the rest are not wrapped. */
export interface StreamedOutcome {
  /** The whole text of the answer; undefined when there is no answer. */
  readonly text: string | undefined;
  /** What the answer has besides its text. */
  readonly parts: readonly JsonObject[];
  readonly metadata: JsonObject | undefined;
  readonly end: StreamEnd;
  /** The A2A state of a task of the agent that has not completed, although the message is answered. */
  readonly taskState: string | undefined;
}

/** What the last events of a stream say. Words of the agent in `end` are wrapped where the form wraps. */
export function toStreamedOutcome(
  message: MessageRow,
  outcome: Outcome,
  form: ResponseForm,
): StreamedOutcome {
  const { state, at } = outcome;
  if (outcome.state !== 'answered') {
    const { status, metadata } = readTask(taskResponse(message, outcome, outcome, form));
    const code = typeof metadata.code === 'string' ? metadata.code : undefined;
    const said = isJsonObject(status.message) ? status.message : undefined;
    const end = { state, at, message: said, code };
    return { text: undefined, parts: [], metadata: undefined, end, taskState: undefined };
  }
  const answer = withoutOwnMetadata(outcome.answer);
  const task = agentTask(answer);
  const metadata = metadataOf(answer);
  if (task === undefined || messageStateOfTask({ status: task.status ?? null }) === 'answered') {
    return { ...contentOf(answer), metadata, end: { state, at }, taskState: undefined };
  }
  // What its status says is in the last event, and only what it has made is its answer.
  const { state: taskState, message: said } = statusOfAgentTask(message, task, form);
  const made = contentOf({ result: { artifacts: task.artifacts ?? [] } });
  const end: StreamEnd = { state, at, message: isJsonObject(said) ? said : undefined };
  return { ...made, metadata, end, taskState: typeof taskState === 'string' ? taskState : undefined };
}

function contentOf(answer: JsonObject): Pick<StreamedOutcome, 'text' | 'parts'> {
  const parts = toA2a03Parts(extractParts(answer)).filter((part) => part.kind !== 'text');
  return { text: extractAnswerText(answer), parts };
}

/** The end of a stream whose message is still open. */
export function openEnd(state: MessageState, at: string): StreamedOutcome {
  return { text: undefined, parts: [], metadata: undefined, end: { state, at }, taskState: undefined };
}

function readTask({ result }: JsonObject): { readonly status: JsonObject; readonly metadata: JsonObject } {
  const { status, metadata } = isJsonObject(result) ? result : {};
  return {
    status: isJsonObject(status) ? status : {},
    metadata: isJsonObject(metadata) ? metadata : {},
  };
}

/** The metadata of an answer; undefined when it has none. */
function metadataOf(answer: JsonObject): JsonObject | undefined {
  const { result } = answer;
  const given = isJsonObject(result) ? result : {};
  const owner = isJsonObject(given.message) ? given.message : isJsonObject(given.task) ? given.task : given;
  const { metadata } = owner;
  return isJsonObject(metadata) && Object.keys(metadata).length > 0 ? metadata : undefined;
}
