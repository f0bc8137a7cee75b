import { isColumnText, isJsonObject, type MessageView } from '@molecule-ai/protocol';
import type { Queryable } from '../database/platform-database.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { directCaller } from './caller-keys.rules.ts';
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

/**
 * Finds a message that a workspace, or an operator, sent, by its message id or its row id.
 * @throws HttpError 404 `message_not_found`, 409 `message_id_conflict` when agents name several by this id.
 */
export async function findSent(
  store: MessageStore,
  { workspaceId, messageId, byOperator }: MessageReference,
): Promise<MessageRow> {
  const sent = await store.findByCaller(workspaceId, messageId);
  if (sent !== undefined) return sent;
  const direct = await store.listDirect(workspaceId, messageId);
  if (direct.length > 0) return onlyOne(direct);
  const fromCanvas = byOperator ? await store.findByCaller(CANVAS_CALLER, messageId) : undefined;
  if (fromCanvas?.target_id === workspaceId) return fromCanvas;
  const byRow = await store.find(messageId.toLowerCase());
  if (byRow?.source_id === workspaceId && byRow.message_id !== null) return byRow;
  throw messageNotFound(messageId);
}

/** @throws HttpError 409 `message_id_conflict` for several, which names their row ids. */
function onlyOne(messages: readonly MessageRow[]): MessageRow {
  const [first, ...others] = messages;
  if (first !== undefined && others.length === 0) return first;
  throw new HttpError(409, 'message_id_conflict', 'several messages have this id', {
    extras: {
      message_id: first?.message_id ?? '',
      hint: `Name one by its row id: ${messages.map(({ id }) => id).join(', ')}.`,
    },
  });
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
   * @throws HttpError 404 `message_not_found`, also for a message of another sender; 409 `message_id_conflict` when
   * several have the message id.
   */
  async find(task: TaskReference, db?: Queryable): Promise<MessageRow> {
    const { callerId, workspaceId, reference } = task;
    const store = this.#store;
    const sender = callerId ?? CANVAS_CALLER;
    const asSent = await store.findByCaller(sender, reference, db);
    if (isMeant(asSent, task)) return asSent;
    const byRow = await store.find(reference.toLowerCase(), db);
    if (isMeant(byRow, task)) return byRow;
    const byTask = await this.#outcomeStore.findByAgentTask(sender, workspaceId, reference, db);
    if (isMeant(byTask, task)) return byTask;
    const others = await this.#listOthers(task, db);
    if (others.length > 0) return onlyOne(others);
    throw notFound(reference);
  }

  /** Messages by their message id: of a sender those that it did not send through the platform, for operators all. */
  async #listOthers(
    { callerId, workspaceId, reference }: TaskReference,
    db?: Queryable,
  ): Promise<readonly MessageRow[]> {
    const store = this.#store;
    if (callerId !== null && callerId !== workspaceId) {
      const direct = await store.findByCaller(directCaller(workspaceId, callerId), reference, db);
      return direct === undefined ? [] : [direct];
    }
    const sent = callerId === null ? await store.findByCaller(workspaceId, reference, db) : undefined;
    if (sent !== undefined && sent.answers_id === null) return [sent];
    const direct = await store.listDirect(workspaceId, reference, db);
    if (callerId !== null || direct.length > 0) return direct;
    return store.listOnFeed(workspaceId, reference, db);
  }

  /** The latest message of the same task: the message itself, or one that continues the task of an agent. */
  async findLatest(message: MessageRow): Promise<MessageRow> {
    const { agent_task_id: taskId, source_id: sourceId, target_id: targetId } = message;
    if (taskId === null) return message;
    const caller = sourceId ?? CANVAS_CALLER;
    return (await this.#outcomeStore.findByAgentTask(caller, targetId, taskId)) ?? message;
  }
}

/** Whether it is a message of the asking one, and the workspace in the path its target or its sender. */
function isMeant(
  message: MessageRow | undefined,
  { callerId, workspaceId }: TaskReference,
): message is MessageRow {
  if (message === undefined || message.message_id === null) return false;
  const isOfCaller = callerId === null || message.source_id === callerId;
  return isOfCaller && (message.workspace_id === workspaceId || message.source_id === workspaceId);
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
