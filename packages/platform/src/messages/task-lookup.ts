import { isColumnText } from '@molecule-ai/protocol';
import type { Queryable } from '../database/platform-database.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import type { NormalMessage } from './accept/request-message.rules.ts';
import type { MessageRow, MessageStore } from './message.store.ts';

/** Who asks about which message. */
export interface TaskReference {
  /** The calling workspace; null for operators. */
  readonly callerId: string | null;
  /** The workspace in the path: the target of the message, or the caller itself. */
  readonly workspaceId: string;
  /** The row id or the message id of the message. */
  readonly reference: string;
}

/**
 * Finds a message for its sender or an operator.
 * @throws HttpError 404 `message_not_found`, also for a message of another sender.
 */
export async function findTask(
  store: MessageStore,
  { callerId, workspaceId, reference }: TaskReference,
  db?: Queryable,
): Promise<MessageRow> {
  const asSent = await store.findByCaller(callerId ?? CANVAS_CALLER, reference, db);
  const message = asSent ?? (await store.find(reference.toLowerCase(), db));
  if (message === undefined || message.message_id === null) throw notFound(reference);
  const isSender = callerId !== null && message.source_id === callerId;
  const isMeant = message.workspace_id === workspaceId || (isSender && callerId === workspaceId);
  if (isMeant && (callerId === null || isSender)) return message;
  throw notFound(reference);
}

/**
 * The message that `tasks/get` and `tasks/cancel` name.
 * @throws HttpError 400 `invalid_message` when they name none.
 */
export function taskReference({ view }: NormalMessage): string {
  const { id, task_id: snakeCase, taskId: camelCase } = view.params;
  const named = [id, snakeCase, camelCase].find((value) => typeof value === 'string' && value !== '');
  if (typeof named === 'string' && isColumnText(named)) return named;
  throw new HttpError(400, 'invalid_message', 'invalid message: params.id must name the message', {
    extras: { field: 'params.id' },
  });
}

function notFound(reference: string): HttpError {
  return new HttpError(404, 'message_not_found', 'message not found', {
    extras: {
      message_id: reference.slice(0, 256),
      hint: 'Only the sender of a message or an operator asks about it or cancels it.',
    },
  });
}
