import { isColumnText, isEnded, type JsonObject } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import type { NormalMessage } from './accept/request-message.rules.ts';
import type { MessageRow, MessageStore } from './message.store.ts';
import type { OutcomeRecorder } from './outcome/outcome-recorder.ts';
import type { CancellationPushes } from './push/cancellation-pushes.ts';

export interface CancellationOptions extends Pick<PlatformContext, 'database'> {
  readonly store: MessageStore;
  readonly outcomes: OutcomeRecorder;
  readonly activity: ActivityService;
  readonly pushes: CancellationPushes;
}

/** Who cancels which message. */
export interface CancelRequest {
  /** The calling workspace; null for operators. */
  readonly callerId: string | null;
  /** The workspace in the path: the target of the message, or the caller itself. */
  readonly workspaceId: string;
  /** The row id or the message id of the message. */
  readonly reference: string;
}

/** Cancels messages for their senders and for operators, and lets their agents know. */
export class Cancellation {
  readonly #options: CancellationOptions;

  constructor(options: CancellationOptions) {
    this.#options = options;
  }

  /**
   * Ends a message as canceled, unless it has ended, and returns it as it is then. Its agent learns of it by a control
   * row, and by a push when it was pushed.
   * @throws HttpError 404 `message_not_found`, also for a message of another sender.
   */
  cancel(request: CancelRequest): Promise<MessageRow> {
    const { database, store } = this.#options;
    return database.transaction(async (unit) => {
      for (;;) {
        const message = await this.#find(request, unit.trx);
        if (message === undefined) throw notFound(request.reference);
        if (isEnded(message.delivery_state)) return message;
        if (!(await this.#end(unit, message))) continue;
        let next = message.continued_by;
        // What continues it is what the agent works on now.
        while (next !== null) {
          const later = await store.find(next, unit.trx);
          if (later === undefined) break;
          if (isEnded(later.delivery_state) || (await this.#end(unit, later))) next = later.continued_by;
        }
        return (await store.find(message.id, unit.trx)) ?? message;
      }
    });
  }

  /** Ends a message and lets its agent know; false when it was changed since it was read. */
  async #end(unit: UnitOfWork, message: MessageRow): Promise<boolean> {
    const { activity, outcomes, pushes } = this.#options;
    const details = { isKnownToCaller: true };
    if ((await outcomes.endMessage(unit, message, { state: 'canceled' }, details)) === undefined)
      return false;
    const { id: activityId, target_id: workspaceId, message_id: messageId } = message;
    await activity.control.add(unit, { workspaceId, activityId, messageId });
    if (message.attempts > 0 || message.delivery_state === 'leased') {
      unit.afterCommit(() => pushes.add(message));
    }
    return true;
  }

  async #find(
    { callerId, workspaceId, reference }: CancelRequest,
    db: Parameters<MessageStore['findAnswered']>[3],
  ): Promise<MessageRow | undefined> {
    const { store } = this.#options;
    const asSent = (await store.findByCaller(callerId ?? CANVAS_CALLER, reference, db)) ?? undefined;
    const message = asSent ?? (await store.find(reference.toLowerCase(), db));
    if (message === undefined || message.message_id === null) return undefined;
    const isSender = callerId !== null && message.source_id === callerId;
    const isMeant = message.workspace_id === workspaceId || (isSender && callerId === workspaceId);
    return isMeant && (callerId === null || isSender) ? message : undefined;
  }
}

/** Methods by which a message is canceled: A2A's, and the published one. */
const CANCEL_METHODS: ReadonlySet<string> = new Set(['tasks/cancel', 'cancel_task']);

/**
 * The message that a request cancels; undefined for any other request.
 * @throws HttpError 400 `invalid_message` when it names none.
 */
export function canceledReference({ view }: NormalMessage): string | undefined {
  if (!CANCEL_METHODS.has(view.method)) return undefined;
  const { id, task_id: snakeCase, taskId: camelCase }: JsonObject = view.params;
  const named = [id, snakeCase, camelCase].find((value) => typeof value === 'string' && value !== '');
  if (typeof named === 'string' && isColumnText(named)) return named;
  throw new HttpError(400, 'invalid_message', 'invalid message: params.id must name the message to cancel', {
    extras: { field: 'params.id' },
  });
}

function notFound(reference: string): HttpError {
  return new HttpError(404, 'message_not_found', 'message not found', {
    extras: {
      message_id: reference.slice(0, 256),
      hint: 'Only the sender of a message or an operator cancels it.',
    },
  });
}
