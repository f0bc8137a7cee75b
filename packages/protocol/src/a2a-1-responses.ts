import { extractAnswerText } from './message-text.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/** The message that a response is about. */
interface AnsweredMessage {
  /** Its row id: the id of a task that names none. */
  readonly id: string;
  readonly contextId: string;
}

/**
 * A JSON-RPC response in the form of A2A 1.0: `result` is `{ message }` or `{ task }`. The answer of an agent of 1.0, and an
 * error, are passed on. Call it before the texts are marked: it makes parts of texts in other places.
 */
export function toA2a1Response(response: JsonObject, about: AnsweredMessage): JsonObject {
  const { result } = response;
  if (result === undefined) {
    if ('error' in response) return response;
    // A bare body, such as `{ text }` or `{ parts }`.
    return { jsonrpc: '2.0', id: null, result: { message: toAnswer(response, about) } };
  }
  if (!isJsonObject(result)) return { ...response, result: { message: toAnswer({ result }, about) } };
  if (isOfA2a1(result)) return response;
  if (isTask(result)) return { ...response, result: { task: toAnsweredTask(result, about) } };
  const { kind, task, message } = result;
  if (kind !== 'message' && isJsonObject(task))
    return { ...response, result: { task: toAnsweredTask(task, about) } };
  const given = kind !== 'message' && isJsonObject(message) ? message : result;
  return { ...response, result: { message: toAnswer(given, about) } };
}

/** The same for `GetTask` and `CancelTask`, whose result is the task itself. */
export function toA2a1TaskResponse(response: JsonObject): JsonObject {
  return isJsonObject(response.result) ? { ...response, result: toTask(response.result) } : response;
}

/** The result of an event of a stream, of A2A 0.3, in the form of 1.0. */
export function toA2a1StreamEvent(result: JsonObject): JsonObject {
  const { kind, final: _final, taskId, contextId, metadata, append, lastChunk } = result;
  const about = { taskId, contextId };
  switch (kind) {
    case 'task':
      return { task: toTask(result) };
    case 'artifact-update': {
      const artifact = isJsonObject(result.artifact) ? toArtifact(result.artifact, 0) : undefined;
      return { artifactUpdate: withoutMissing({ ...about, artifact, append, lastChunk, metadata }) };
    }
    case 'status-update': {
      const status = isJsonObject(result.status) ? toStatus(result.status, String(taskId)) : undefined;
      return { statusUpdate: withoutMissing({ ...about, status, metadata }) };
    }
    default:
      return result;
  }
}

/** Older agents return `{ message }` and `{ task }` as well, with other words in them. */
function isOfA2a1({ kind, task, message }: JsonObject): boolean {
  if (kind !== undefined) return false;
  if (isJsonObject(message))
    return typeof message.role === 'string' && /^ROLE_(AGENT|USER)$/.test(message.role);
  const status = isJsonObject(task) ? task.status : undefined;
  return isJsonObject(status) && typeof status.state === 'string' && stateOf(status.state) === status.state;
}

function toAnswer(given: JsonObject, { id, contextId }: AnsweredMessage): JsonObject {
  return toMessage({ ...(contextId === '' ? {} : { contextId }), ...given }, `answer-${id}`);
}

function toAnsweredTask(task: JsonObject, { id, contextId }: AnsweredMessage): JsonObject {
  const shown = toTask({ id, contextId, ...task });
  const { text, artifacts } = task;
  if (typeof text !== 'string' || text === '' || artifacts !== undefined) return shown;
  return { ...shown, artifacts: [{ artifactId: `answer-${id}`, parts: [{ text }] }] };
}

function isTask({ kind, status, artifacts }: JsonObject): boolean {
  return kind === 'task' || (kind === undefined && (isJsonObject(status) || Array.isArray(artifacts)));
}

function toTask(task: JsonObject): JsonObject {
  const { id = '', contextId, status, artifacts, history, metadata } = task;
  return withoutMissing({
    id,
    contextId,
    status: toStatus(isJsonObject(status) ? status : { state: status ?? '' }, String(id)),
    artifacts: Array.isArray(artifacts) ? artifacts.filter(isJsonObject).map(toArtifact) : undefined,
    history: Array.isArray(history)
      ? history.filter(isJsonObject).map((one, index) => toMessage(one, `history-${index}`))
      : undefined,
    metadata: isJsonObject(metadata) ? metadata : undefined,
  });
}

function toStatus({ state, timestamp, message }: JsonObject, taskId: string): JsonObject {
  return withoutMissing({
    state: stateOf(state),
    timestamp,
    message: isJsonObject(message) ? toMessage(message, `status-${taskId}`) : undefined,
  });
}

function toArtifact(artifact: JsonObject, index: number): JsonObject {
  const { artifactId = `artifact-${index}`, name, description, parts, metadata, extensions } = artifact;
  const shown = Array.isArray(parts) ? parts.filter(isJsonObject).map(toPart) : [];
  return withoutMissing({ artifactId, name, description, parts: shown, metadata, extensions });
}

function toMessage(given: JsonObject, newId: string): JsonObject {
  const { messageId, contextId, taskId, role, metadata, extensions, referenceTaskIds } = given;
  const text = extractAnswerText('result' in given ? given : { result: given });
  const parts = Array.isArray(given.parts) ? given.parts.filter(isJsonObject).map(toPart) : [];
  return withoutMissing({
    messageId: typeof messageId === 'string' && messageId !== '' ? messageId : newId,
    contextId,
    taskId,
    role: /^(role_)?user$/i.test(typeof role === 'string' ? role : '') ? 'ROLE_USER' : 'ROLE_AGENT',
    parts: parts.length === 0 ? [{ text }] : parts,
    metadata,
    extensions,
    referenceTaskIds,
  });
}

function toPart(part: JsonObject): JsonObject {
  const given = isJsonObject(part.root) ? part.root : part;
  const { kind: _kind, type: _type, file, ...rest } = given;
  if (!isJsonObject(file)) return rest;
  const { uri, bytes, name, mimeType } = file;
  return withoutMissing({ ...rest, url: uri, raw: bytes, filename: name, mediaType: mimeType });
}

/** `TASK_STATE_…`; a word that is none is unspecified, because an agent may write anything there. */
function stateOf(state: JsonValue | undefined): string {
  const word = typeof state === 'string' ? state.toUpperCase().replaceAll('-', '_') : '';
  const given = word.startsWith('TASK_STATE_') ? word.slice('TASK_STATE_'.length) : word;
  const name = given === 'CANCELLED' ? 'CANCELED' : given;
  return NAMES.has(name) ? `TASK_STATE_${name}` : 'TASK_STATE_UNSPECIFIED';
}

const NAMES: ReadonlySet<string> = new Set([
  'SUBMITTED',
  'WORKING',
  'INPUT_REQUIRED',
  'COMPLETED',
  'FAILED',
  'CANCELED',
  'REJECTED',
  'AUTH_REQUIRED',
]);

function withoutMissing(object: Record<string, JsonValue | undefined>): JsonObject {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as JsonObject;
}
