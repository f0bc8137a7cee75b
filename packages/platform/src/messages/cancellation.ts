import { isEnded } from '@molecule-ai/protocol';
import type { ControlRows } from '../activity/control-rows.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { MessageRow } from '../database/schema.ts';
import type { AskedMessages, TaskReference } from './asked-messages.ts';
import type { MessageStore } from './message.store.ts';
import type { AgentNotices } from './push/agent-notices.ts';
import type { Transitions } from './transitions.ts';

interface CancellationOptions extends Pick<PlatformContext, 'database'> {
  readonly store: MessageStore;
  readonly transitions: Transitions;
  readonly control: ControlRows;
  readonly asked: AskedMessages;
  readonly notices: AgentNotices;
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
  cancel(task: TaskReference): Promise<MessageRow> {
    const { asked, database, store } = this.#options;
    return database.transaction(async (unit) => {
      for (;;) {
        const message = await asked.find(task, unit.trx);
        if (isEnded(message.delivery_state)) return message;
        if (!(await this.#end(unit, message))) continue;
        let next = message.continued_by;
        // What continues it is what the agent works on now.
        while (next !== null) {
          const later = await store.find({ id: next }, unit.trx);
          if (later === undefined) break;
          if (isEnded(later.delivery_state) || (await this.#end(unit, later))) next = later.continued_by;
        }
        return (await store.find({ id: message.id }, unit.trx)) ?? message;
      }
    });
  }

  /** Ends a message and lets its agent know; false when it was changed since it was read. */
  async #end(unit: UnitOfWork, message: MessageRow): Promise<boolean> {
    const { control, notices, transitions } = this.#options;
    const end = await transitions.end(unit, message, { state: 'canceled' }, { isKnown: true });
    if (end === undefined) return false;
    const { id: activityId, target_id: workspaceId, message_id: messageId } = message;
    await control.add(unit, { workspaceId, activityId, messageId });
    if (message.attempts > 0 || message.delivery_state === 'leased') {
      unit.afterCommit(() => notices.cancel(message));
    }
    return true;
  }
}
