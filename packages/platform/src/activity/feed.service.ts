import type { ActivityRow } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { RowWaiters } from '../waiting/row-waiters.ts';
import { readFeed, readSeq } from './activity.store.ts';
import { toActivityRow } from './activity-row.rules.ts';
import type { FeedQuery } from './feed-query.rules.ts';

/** One page of the feed. */
export interface FeedPage {
  readonly rows: ActivityRow[];
  /** Where a reader that goes forward continues; undefined when nothing is known yet. */
  readonly nextCursor: string | undefined;
  readonly hasMore: boolean;
}

/** Reading the feed, with or without waiting for a row. */
export interface FeedReading {
  read(
    workspaceId: string,
    query: FeedQuery,
    reader: { readonly isAgent: boolean },
    connection: Pick<ClientConnection, 'gone' | 'onGone'>,
  ): Promise<FeedPage>;
  /** How many readers wait at the moment. */
  waitingReaders(): number;
  /** Sends every waiting reader away with what there is. */
  endReaders(): void;
}

export function createFeedReader(context: PlatformContext): FeedReading {
  const { bus, clock, db, settings } = context;
  const waiters = new RowWaiters(clock);
  context.shutdown.addEventListener('abort', () => waiters.close(), { once: true });
  const unsubscribe = bus.subscribe((notice) => {
    if (notice.type === 'ACTIVITY_LOGGED' && notice.workspaceId !== null) waiters.wake(notice.workspaceId);
  });

  const findCursor = async (workspaceId: string, sinceId: string): Promise<number> => {
    const seq = await readSeq(db, workspaceId, sinceId);
    if (seq !== undefined) return seq;
    throw new ApiError(410, 'cursor_not_found', 'since_id cursor not found', {
      extras: { field: 'since_id', hint: 'Read again without since_id, or with unacknowledged=true.' },
    });
  };

  const readPage = async (
    workspaceId: string,
    query: FeedQuery,
    sinceSeq: number | undefined,
    isAgent: boolean,
  ): Promise<FeedPage> => {
    const records = await readFeed(db, workspaceId, query, sinceSeq);
    const reader = { wrapAnswers: isAgent && settings.wrapPeerResults, publicUrl: context.publicUrl() };
    const rows = records.slice(0, query.limit).map((record) => toActivityRow(record, reader));
    const newest = query.order === 'asc' ? rows.at(-1) : rows[0];
    return { rows, nextCursor: newest?.id ?? query.sinceId, hasMore: records.length > query.limit };
  };

  const read: FeedReading['read'] = async (workspaceId, query, { isAgent }, connection) => {
    const sinceSeq = query.sinceId === undefined ? undefined : await findCursor(workspaceId, query.sinceId);
    const deadline = clock.monotonic() + (query.waitSeconds ?? 0) * 1_000;
    let leave = () => {};
    if (query.waitSeconds !== undefined) connection.onGone(() => leave());
    for (;;) {
      const left = deadline - clock.monotonic();
      if (query.waitSeconds === undefined || left <= 0) {
        return readPage(workspaceId, query, sinceSeq, isAgent);
      }
      // The waiter stands before the look, so that a row committed in between wakes it.
      const waiter = waiters.add(workspaceId, left);
      leave = waiter.end;
      let page: FeedPage;
      try {
        page = await readPage(workspaceId, query, sinceSeq, isAgent);
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
  };

  return {
    read,
    waitingReaders: () => waiters.size,
    endReaders: () => {
      unsubscribe();
      waiters.close();
    },
  };
}
