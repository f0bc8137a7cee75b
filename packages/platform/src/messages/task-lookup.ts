import { isColumnText, isJsonObject, type MessageView } from '@molecule-ai/protocol';
import type { Queryable } from '../database/platform-database.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import type { MessageRow, MessageStore } from './message.store.ts';
import { messageStateOf } from './outcome/outcome.rules.ts';
import type { OutcomeStore } from './outcome/outcome.store.ts';
import { messageNotFound } from './sent-query.rules.ts';

/** Who asks about which message. */
export interface TaskReference {
  /** The calling workspace; null for operators. */
  readonly callerId: string | null;
  /** The workspace in the path: the target of the message, or the caller itself. */
  readonly workspaceId: string;
  /** The row id or the message id of the message, or the agent's own id of the task that answered it. */
  readonly reference: string;
}

/** Identifies a message by its message id. */
export interface MessageReference {
  /** The caller of the message; for an operator's own messages their target. */
  readonly workspaceId: string;
  readonly messageId: string;
  readonly byOperator: boolean;
}

/** Finds a message that a workspace, or an operator, sent. @throws HttpError 404 `message_not_found`. */
export async function findSent(
  store: MessageStore,
  { workspaceId, messageId, byOperator }: MessageReference,
): Promise<MessageRow> {
  const sent = await store.findByCaller(workspaceId, messageId);
  const own = sent ?? (await store.findDirect(workspaceId, messageId));
  if (own !== undefined) return own;
  const fromCanvas = byOperator ? await store.findByCaller(CANVAS_CALLER, messageId) : undefined;
  if (fromCanvas?.target_id === workspaceId) return fromCanvas;
  throw messageNotFound(messageId);
}

/** Finds the messages that callers call tasks. */
export class TaskLookup {
  readonly #store: MessageStore;
  readonly #outcomeStore: OutcomeStore;

  constructor({
    store,
    outcomeStore,
  }: { readonly store: MessageStore; readonly outcomeStore: OutcomeStore }) {
    this.#store = store;
    this.#outcomeStore = outcomeStore;
  }

  /**
   * Finds a message for its sender or an operator.
   * @throws HttpError 404 `message_not_found`, also for a message of another sender.
   */
  async find({ callerId, workspaceId, reference }: TaskReference, db?: Queryable): Promise<MessageRow> {
    const caller = callerId ?? CANVAS_CALLER;
    const asSent = await this.#store.findByCaller(caller, reference, db);
    const message =
      asSent ??
      (await this.#store.find(reference.toLowerCase(), db)) ??
      (await this.#outcomeStore.findByAgentTask(caller, workspaceId, reference, db)) ??
      (callerId === null ? undefined : await this.#store.findDirect(callerId, reference, db));
    if (message === undefined || message.message_id === null) throw notFound(reference);
    const isSender = callerId !== null && message.source_id === callerId;
    const isMeant = message.workspace_id === workspaceId || (isSender && callerId === workspaceId);
    if (isMeant && (callerId === null || isSender)) return message;
    throw notFound(reference);
  }

  /** The latest message of the same task: the message itself, or one that continues the task of an agent. */
  async findLatest(message: MessageRow): Promise<MessageRow> {
    const { agent_task_id: taskId, source_id: sourceId, target_id: targetId } = message;
    if (taskId === null) return message;
    const caller = sourceId ?? CANVAS_CALLER;
    return (await this.#outcomeStore.findByAgentTask(caller, targetId, taskId)) ?? message;
  }
}

/** The id of a task for those who asked for it: the row id, or the agent's own id for those who named that. */
export function taskIdOf({ id, agent_task_id: agentId }: MessageRow, reference: string): string {
  return agentId === reference ? reference : id;
}

/**
 * The message that `tasks/get` and `tasks/cancel` name.
 * @throws HttpError 400 `invalid_message` when they name none.
 */
export function taskReference({ params }: MessageView): string {
  const { id, task_id: snakeCase, taskId: camelCase } = params;
  const named = [id, snakeCase, camelCase].find((value) => typeof value === 'string' && value !== '');
  if (typeof named === 'string' && isColumnText(named)) return named;
  throw invalid('params.id must name the message', 'params.id');
}

/** Whether `tasks/get` asks for what the task was about. @throws HttpError 400 `invalid_message` for no count. */
export function wantsHistory({ params: { historyLength: length } }: MessageView): boolean {
  if (length === undefined || length === null) return false;
  if (Number.isInteger(length) && Number(length) >= 0) return length !== 0;
  throw invalid('params.historyLength must be a whole number', 'params.historyLength');
}

/** Whether a message asks for its task instead of its answer: `blocking` in A2A 0.3, `returnImmediately` in 1.0. */
export function wantsTaskAtOnce({ params: { configuration } }: MessageView): boolean {
  if (!isJsonObject(configuration)) return false;
  return configuration.blocking === false || configuration.returnImmediately === true;
}

/** @throws HttpError 409 `message_ended` for a message that had ended otherwise before it was canceled. */
export function requireCanceled(message: MessageRow): void {
  const state = messageStateOf(message);
  if (state === 'canceled') return;
  throw new HttpError(409, 'message_ended', 'the message has ended', {
    extras: { message_id: message.message_id, status: state, hint: 'Ask for its end with tasks/get.' },
  });
}

function invalid(reason: string, field: string): HttpError {
  return new HttpError(400, 'invalid_message', `invalid message: ${reason}`, { extras: { field } });
}

function notFound(reference: string): HttpError {
  return messageNotFound(
    reference.slice(0, 256),
    'Only the sender of a message or an operator asks about it or cancels it.',
  );
}
