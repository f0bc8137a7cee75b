import { isColumnText, isJsonObject, type JsonObject } from '@molecule-ai/protocol';

const MAX_ID_LENGTH = 256;

/** The task that an agent answered with, of A2A 0.3 or 1.0; undefined for any other answer. */
export function agentTask({ result }: JsonObject): JsonObject | undefined {
  if (!isJsonObject(result)) return undefined;
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
