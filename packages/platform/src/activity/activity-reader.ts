import type { ActivityRow } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';
import { timestamp } from '../time/clock.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { RowWaiters } from '../waiting/row-waiters.ts';
import type { ActivityStore } from './activity.store.ts';
import { toActivityRow } from './activity-row.rules.ts';
import type { FeedQuery } from './feed-query.rules.ts';

/** One page of the feed. */
export interface FeedPage {
  readonly rows: ActivityRow[];
  /** The cursor of the next page in ascending order; undefined when there is neither a row nor a cursor. */
  readonly nextCursor: string | undefined;
  readonly hasMore: boolean;
}

export interface ActivityReaderOptions
  extends Pick<PlatformContext, 'bus' | 'clock' | 'publicUrl' | 'settings' | 'shutdown'> {
  readonly store: ActivityStore;
}

/** Reads pages of the feed, with or without waiting for a row. */
export class ActivityReader {
  readonly #options: ActivityReaderOptions;
  readonly #waiters: RowWaiters;
  readonly #unsubscribe: () => void;

  constructor(options: ActivityReaderOptions) {
    this.#options = options;
    this.#waiters = new RowWaiters(options.clock);
    options.shutdown.addEventListener('abort', () => this.#waiters.close(), { once: true });
    this.#unsubscribe = options.bus.subscribe(({ type, workspaceId }) => {
      if (type === 'ACTIVITY_LOGGED' && workspaceId !== null) this.#waiters.wake(workspaceId);
    });
  }

  /** Ends every wait; waiting readers get the rows that exist. */
  close(): void {
    this.#unsubscribe();
    this.#waiters.close();
  }

  async read(
    workspaceId: string,
    query: FeedQuery,
    { isAgent }: { readonly isAgent: boolean },
    connection: Pick<ClientConnection, 'gone' | 'onGone'>,
  ): Promise<FeedPage> {
    const { clock } = this.#options;
    const sinceSeq =
      query.sinceId === undefined ? undefined : await this.#findCursor(workspaceId, query.sinceId);
    const deadline = clock.monotonic() + (query.waitSeconds ?? 0) * 1_000;
    let stopWaiting = () => {};
    if (query.waitSeconds !== undefined) connection.onGone(() => stopWaiting());
    for (;;) {
      const left = deadline - clock.monotonic();
      if (query.waitSeconds === undefined || left <= 0) {
        return this.#readPage(workspaceId, query, sinceSeq, isAgent);
      }
      // The waiter is registered before the page is read, so that a row committed in between wakes it.
      const waiter = this.#waiters.add(workspaceId, left);
      stopWaiting = waiter.end;
      let page: FeedPage;
      try {
        page = await this.#readPage(workspaceId, query, sinceSeq, isAgent);
      } catch (error) {
        waiter.end();
        throw error;
      }
      if (page.rows.length > 0 || connection.gone) {
        waiter.end();
        return page;
      }
      const reason = await waiter.done;
      if (reason !== 'woken') return page;
    }
  }

  async #findCursor(workspaceId: string, sinceId: string): Promise<number> {
    const seq = await this.#options.store.readSeq(workspaceId, sinceId);
    if (seq !== undefined) return seq;
    throw new HttpError(410, 'cursor_not_found', 'since_id cursor not found', {
      extras: { field: 'since_id', hint: 'Read again without since_id, or with unacknowledged=true.' },
    });
  }

  async #readPage(
    workspaceId: string,
    query: FeedQuery,
    sinceSeq: number | undefined,
    isAgent: boolean,
  ): Promise<FeedPage> {
    const { settings, publicUrl } = this.#options;
    // What has expired is not handed to the agent, also when its end is not recorded yet.
    const deliverableAt = isAgent && query.direction === 'in' ? timestamp(this.#options.clock) : undefined;
    const records = await this.#options.store.readPage(workspaceId, query, sinceSeq, deliverableAt);
    const reader = { wrapAnswers: isAgent && settings.wrapPeerResults, publicUrl: publicUrl() };
    const rows = records.slice(0, query.limit).map((record) => toActivityRow(record, reader));
    const newest = query.order === 'asc' ? rows.at(-1) : rows[0];
    return { rows, nextCursor: newest?.id ?? query.sinceId, hasMore: records.length > query.limit };
  }
}
