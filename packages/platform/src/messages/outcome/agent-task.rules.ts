import { isColumnText, isJsonObject, type JsonObject } from '@molecule-ai/protocol';

const MAX_ID_LENGTH = 256;

/** What the platform's own tasks say in their metadata, so that programs rely on it. */
const OWN_METADATA: ReadonlySet<string> = new Set(['state', 'code', 'message_id']);

/** The task that an agent answered with, of A2A 0.3 or 1.0; undefined for any other answer. */
export function agentTask({ result }: JsonObject): JsonObject | undefined {
  if (!isJsonObject(result) || result.kind === 'message') return undefined;
  const task = isJsonObject(result.task) ? result.task : result;
  return isJsonObject(task.status) && typeof task.id === 'string' ? task : undefined;
}

/** The id of that task, by which its sender may ask for it; null without one. */
export function agentTaskId(answer: JsonObject): string | null {
  const { id } = agentTask(answer) ?? {};
  const isUsable = typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH && isColumnText(id);
  return isUsable ? id : null;
}

/** Whether a task has the words of A2A 1.0. */
export function isTaskOfA2a1({ status }: JsonObject): boolean {
  return isJsonObject(status) && typeof status.state === 'string' && status.state.startsWith('TASK_STATE_');
}

/** An answer without the metadata of tasks that only the platform writes. The same object when it has none. */
export function withoutOwnMetadata(answer: JsonObject): JsonObject {
  const { result } = answer;
  if (!isJsonObject(result)) return answer;
  const { task } = result;
  const outer = isTaskLike(result) ? cleaned(result) : result;
  const inner = isJsonObject(task) ? cleaned(task) : task;
  if (outer === result && inner === task) return answer;
  return { ...answer, result: inner === undefined ? outer : { ...outer, task: inner } };
}

function isTaskLike({ kind, status, artifacts }: JsonObject): boolean {
  return kind === 'task' || status !== undefined || artifacts !== undefined;
}

function cleaned(task: JsonObject): JsonObject {
  const { metadata } = task;
  if (!isJsonObject(metadata)) return task;
  const kept = Object.entries(metadata).filter(([key]) => !OWN_METADATA.has(key));
  if (kept.length === Object.keys(metadata).length) return task;
  return { ...task, metadata: Object.fromEntries(kept) };
}
