import { textPart } from '../message.ts';
import { type MessageState, messageStateOfTask, taskStateOf } from '../message-ends.ts';
import { isJsonObject, type JsonObject, type JsonValue, textOf } from '../open-json.ts';

/**
 * In `extensions` of an artifact: it is the answer of an agent, which without a stream is a message with the id, the parts and the
 * metadata of the artifact. See docs/contract/streams.md#events.
 */
export const ANSWER_EXTENSION = 'urn:molecule:answer';

/** A comment that keeps a stream of server-sent events open. */
export const SSE_KEEP_ALIVE = ': keep-alive\n\n';

/** One server-sent event. */
export function sseEvent(data: JsonObject): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** The message whose answer is streamed. */
export interface StreamedMessage {
  /** The id of its task for whoever reads the stream. */
  readonly taskId: string;
  readonly messageId: string;
  /** `''` for none. */
  readonly contextId: string;
  /** The message id of the answer. */
  readonly answerId: string;
}

/** How a stream ends. `message` is what the status says: the question of an agent, or why the message failed. */
export interface StreamEnd {
  readonly state: MessageState;
  /** RFC 3339. */
  readonly at: string;
  readonly message?: JsonObject | undefined;
  readonly code?: string | undefined;
}

/** Makes the results of the events of one stream, in the form of A2A 0.3: a task, updates of one artifact, a last status. */
export class StreamEvents {
  readonly #message: StreamedMessage;
  #hasArtifact = false;

  constructor(message: StreamedMessage) {
    this.#message = message;
  }

  /** The first event. */
  task(state: MessageState, at: string): JsonObject {
    const { taskId, messageId, contextId } = this.#message;
    return {
      kind: 'task',
      id: taskId,
      contextId,
      status: { state: taskStateOf(state), timestamp: at },
      metadata: { message_id: messageId, state },
    };
  }

  /** More of the text. */
  text(delta: string): JsonObject {
    return this.#update({ parts: [textPart(delta)] });
  }

  /** The text from its beginning, because it is another one than was sent before. */
  restart(text: string): JsonObject {
    this.#hasArtifact = false;
    return this.text(text);
  }

  /** What the answer has besides its text. */
  rest(parts: readonly JsonObject[], metadata: JsonObject | undefined): JsonObject {
    const given = { parts: [...parts], ...(metadata === undefined ? {} : { metadata }) };
    return { ...this.#update(given), lastChunk: true };
  }

  /** The last event. */
  end({ state, at, message, code }: StreamEnd): JsonObject {
    const { taskId, messageId, contextId } = this.#message;
    const said = message === undefined ? {} : { message };
    return {
      kind: 'status-update',
      taskId,
      contextId,
      status: { state: taskStateOf(state), timestamp: at, ...said },
      final: true,
      metadata: { message_id: messageId, state, ...(code === undefined ? {} : { code }) },
    };
  }

  #update(artifact: JsonObject): JsonObject {
    const { taskId, contextId, answerId } = this.#message;
    const append = this.#hasArtifact;
    this.#hasArtifact = true;
    return {
      kind: 'artifact-update',
      taskId,
      contextId,
      artifact: { artifactId: answerId, extensions: [ANSWER_EXTENSION], ...artifact },
      append,
      lastChunk: false,
    };
  }
}

/** One event of a stream, of A2A 0.3 or 1.0. */
export type StreamEvent =
  /** A whole response: a message, or an error. The stream ends with it. */
  | { readonly kind: 'response' }
  | { readonly kind: 'task'; readonly task: JsonObject }
  | (NamesTask & { readonly kind: 'artifact'; readonly artifact: JsonObject; readonly isAppended: boolean })
  | (NamesTask & {
      readonly kind: 'status';
      readonly status: JsonObject;
      readonly metadata: JsonValue | undefined;
      /** Whether the stream ends with it: it says so, or the task does not go on by itself. */
      readonly isLast: boolean;
    })
  | { readonly kind: 'unknown' };

/** Each is `''` where the update does not say it. */
interface NamesTask {
  readonly taskId: string;
  readonly contextId: string;
}

const UNKNOWN: StreamEvent = { kind: 'unknown' };

/** Reads the data of one event, a JSON-RPC response. Never throws. */
export function readStreamEvent(body: JsonValue | undefined): StreamEvent {
  if (!isJsonObject(body)) return UNKNOWN;
  const { result, error } = body;
  if (result === undefined) return error === undefined || error === null ? UNKNOWN : { kind: 'response' };
  if (!isJsonObject(result)) return UNKNOWN;
  const { kind, task, message, artifactUpdate, statusUpdate } = result;
  if (kind === 'message' || (kind === undefined && isJsonObject(message))) return { kind: 'response' };
  if (kind === 'task') return { kind: 'task', task: result };
  if (kind === undefined && isJsonObject(task)) return { kind: 'task', task };
  const artifact = kind === 'artifact-update' ? result : artifactUpdate;
  if (isJsonObject(artifact) && isJsonObject(artifact.artifact)) {
    const isAppended = artifact.append === true;
    return { kind: 'artifact', ...namedTask(artifact), artifact: artifact.artifact, isAppended };
  }
  const update = kind === 'status-update' ? result : statusUpdate;
  if (!isJsonObject(update) || !isJsonObject(update.status)) return UNKNOWN;
  const { status, metadata, final } = update;
  const isLast = final === true || isAtRest(status);
  return { kind: 'status', ...namedTask(update), status, metadata, isLast };
}

function namedTask({ taskId, contextId }: JsonObject): NamesTask {
  return { taskId: textOf(taskId), contextId: textOf(contextId) };
}

const GOING_ON: ReadonlySet<string> = new Set(['queued', 'delivered']);

/** Whether a task with this status does not go on by itself. */
export function isAtRest(status: JsonObject): boolean {
  const state = messageStateOfTask({ status });
  return state !== null && !GOING_ON.has(state);
}
