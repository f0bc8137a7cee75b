import type { ControlRow } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import { timestamp } from '../time/clock.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { RowWaiters } from '../waiting/row-waiters.ts';

/** How long a control row can be read, in milliseconds. */
const KEPT_MS = 3_600_000;
const PRUNE_EVERY_MS = 3_600_000;
const MAX_ROWS = 500;

type ControlRowsOptions = Pick<PlatformContext, 'clock' | 'database' | 'shutdown' | 'tasks'>;

/**
 * The control rows of all workspaces: which messages were canceled while their agents may be handling them. They have
 * an order of their own, need no acknowledgement, and are kept for one hour.
 */
export class ControlRows {
  readonly #options: ControlRowsOptions;
  readonly #waiters: RowWaiters;

  constructor(options: ControlRowsOptions) {
    this.#options = options;
    options.tasks.every('prune control rows', PRUNE_EVERY_MS, () => this.#prune());
    this.#waiters = new RowWaiters(options.clock);
    options.shutdown.addEventListener('abort', () => this.#waiters.close(), { once: true });
  }

  /** Ends the waits of a workspace whose status has changed. */
  endWaits(workspaceId: string): void {
    this.#waiters.wake(workspaceId, { reason: 'changed' });
  }

  /** Ends every wait. */
  close(): void {
    this.#waiters.close();
  }

  /** Records that a message was canceled; waiting agents are woken after the commit. */
  async add(
    unit: UnitOfWork,
    canceled: { readonly workspaceId: string; readonly activityId: string; readonly messageId: string },
  ): Promise<void> {
    const { workspaceId, activityId, messageId } = canceled;
    await unit.lock?.(workspaceId);
    await unit.trx
      .insertInto('control_rows')
      .values({
        workspace_id: workspaceId,
        activity_id: activityId,
        message_id: messageId,
        created_at: unit.at,
      })
      .execute();
    unit.afterCommit(() => this.#waiters.wake(workspaceId));
  }

  /** The rows of a workspace after `sinceSeq`, oldest first, after waiting up to `waitSeconds` for one if there is none. */
  async read(
    workspaceId: string,
    { sinceSeq, waitSeconds = 0 }: { readonly sinceSeq: number; readonly waitSeconds: number | undefined },
    connection: Pick<ClientConnection, 'gone' | 'onGone'>,
  ): Promise<ControlRow[]> {
    if (waitSeconds === 0) return this.#select(workspaceId, sinceSeq);
    // The waiter is registered before the rows are read, so that one committed in between wakes it.
    const waiter = this.#waiters.add(workspaceId, waitSeconds * 1_000);
    connection.onGone(waiter.end);
    try {
      const rows = await this.#select(workspaceId, sinceSeq);
      if (rows.length > 0 || connection.gone || (await waiter.done) !== 'woken') return rows;
      return await this.#select(workspaceId, sinceSeq);
    } finally {
      waiter.end();
    }
  }

  /** Deletes the rows that can no longer be read. */
  async #prune(): Promise<void> {
    const { clock, database } = this.#options;
    const before = timestamp(clock, -KEPT_MS);
    await database.query.deleteFrom('control_rows').where('created_at', '<', before).execute();
  }

  async #select(workspaceId: string, sinceSeq: number): Promise<ControlRow[]> {
    const { clock, database } = this.#options;
    const rows = await database.query
      .selectFrom('control_rows')
      .select(['seq', 'message_id', 'activity_id'])
      .where('workspace_id', '=', workspaceId)
      .where('seq', '>', sinceSeq)
      .where('created_at', '>=', timestamp(clock, -KEPT_MS))
      .orderBy('seq')
      .limit(MAX_ROWS)
      .execute();
    return rows.map(({ seq, ...row }) => ({ seq: Number(seq), method: 'cancel_task', ...row }));
  }
}
