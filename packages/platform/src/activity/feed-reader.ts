import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';
import { LatestMap } from '../latest-map.ts';
import type { Clock } from '../time/clock.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import type { HeldText } from '../waiting/response-memory.ts';
import { RowWaiters } from '../waiting/row-waiters.ts';
import type { ControlRows } from './control-rows.ts';
import { type FeedPage, FeedPages } from './feed-pages.ts';
import { type FeedQuery, type FeedView, orderOf } from './feed-query.rules.ts';
import type { Cursor, ReadingPositions } from './reading-positions.ts';

/** The database is read again after so long, although nothing is known to have changed. */
const VALID_MS = 5 * 60_000;
const MAX_WORKSPACES = 10_000;

interface EmptyPage {
  readonly query: string;
  /** Of the rows that it asked for; undefined for both. */
  readonly direction: string | undefined;
  readonly sinceSeq: number | undefined;
  /** On the wall clock, because what has been read for long depends on it: after a change of the clock it is read again. */
  readonly readAt: number;
}

/**
 * The last read of each feed that found nothing. An agent that waits for messages repeats it, and as long as nothing is published for the
 * workspace, it finds nothing again.
 */
class EmptyPages {
  readonly #clock: Clock;
  readonly #byWorkspace = new LatestMap<string, EmptyPage>(MAX_WORKSPACES);
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many changes there were. Take it before reading, because what is published meanwhile may not be in the page. */
  get changes(): number {
    return this.#changes;
  }

  /** There may be a row of this direction for this workspace, or, without one, it has another status. */
  changed(workspaceId: string, direction?: string): void {
    this.#changes += 1;
    const wanted = this.#byWorkspace.get(workspaceId)?.direction;
    const isOther = direction !== undefined && wanted !== undefined && wanted !== direction;
    if (!isOther) this.#byWorkspace.delete(workspaceId);
  }

  /** The place from which this query found nothing; undefined when it has to be read. */
  find(workspaceId: string, query: string): Pick<EmptyPage, 'sinceSeq'> | undefined {
    const page = this.#byWorkspace.get(workspaceId);
    if (page?.query !== query) return undefined;
    const age = this.#clock.now() - page.readAt;
    return age >= 0 && age < VALID_MS ? page : undefined;
  }

  /** Notes that a query found nothing. @param changes how many there were before it */
  remember(workspaceId: string, page: Omit<EmptyPage, 'readAt'>, changes: number): void {
    if (changes !== this.#changes) return;
    this.#byWorkspace.set(workspaceId, { ...page, readAt: this.#clock.now() });
  }
}

interface FeedReaderOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'events' | 'address' | 'settings' | 'shutdown'> {
  readonly control: ControlRows;
  readonly positions: ReadingPositions;
}

/** What an agent should know at once. After a resume it also sees what was stored during the pause. */
const STATUS_EVENTS = ['WORKSPACE_PAUSED', 'WORKSPACE_RESUMED', 'WORKSPACE_REMOVED'] as const;

/** Reads pages of the feed, with or without waiting for a row. */
export class FeedReader {
  readonly #options: FeedReaderOptions;
  readonly #waiters: RowWaiters;
  readonly #pages: FeedPages;
  readonly #empty: EmptyPages;
  readonly #unsubscribe: () => void;

  constructor(options: FeedReaderOptions) {
    this.#options = options;
    this.#waiters = new RowWaiters(options.clock);
    this.#pages = new FeedPages(options);
    this.#empty = new EmptyPages(options.clock);
    options.shutdown.addEventListener('abort', () => this.#waiters.close(), { once: true });
    const endRows = options.events.subscribe(['ACTIVITY_LOGGED'], (workspaceId, { direction }) => {
      this.#empty.changed(workspaceId, direction);
      this.#waiters.wake(workspaceId, { direction });
    });
    const endStatus = options.events.subscribe(STATUS_EVENTS, (workspaceId) => {
      this.#empty.changed(workspaceId);
      this.#waiters.wake(workspaceId, { reason: 'changed' });
      options.control.endWaits(workspaceId);
    });
    this.#unsubscribe = () => {
      endRows();
      endStatus();
    };
  }

  /** Ends every wait; waiting readers get the rows that exist. */
  close(): void {
    this.#unsubscribe();
    this.#waiters.close();
  }

  /** Reads one page; waits for a row if the query has `wait`. 410 for an unknown cursor. Release the page when it is sent. */
  async read(
    workspaceId: string,
    asked: FeedQuery,
    { isAgent }: { readonly isAgent: boolean },
    connection: Pick<ClientConnection, 'gone' | 'onGone'>,
  ): Promise<FeedPage> {
    const { clock } = this.#options;
    const query = { ...asked, order: orderOf(asked, isAgent) };
    const queryKey = JSON.stringify({ ...query, waitSeconds: undefined, isAgent });
    let known = this.#empty.find(workspaceId, queryKey);
    const sinceSeq = known === undefined ? await this.#placeOf(workspaceId, query, isAgent) : known.sinceSeq;
    const beforeSeq = await this.#endOf(workspaceId, query, isAgent);
    const readPage = async () => {
      const { changes } = this.#empty;
      const page = await this.#pages.read(workspaceId, query, { sinceSeq, beforeSeq }, isAgent);
      if (page.rows === 0) {
        const { direction } = query;
        this.#empty.remember(workspaceId, { query: queryKey, direction, sinceSeq }, changes);
      }
      return page;
    };
    if (query.waitSeconds === undefined) return known === undefined ? readPage() : emptyPage(query);
    const deadline = clock.monotonic() + query.waitSeconds * 1_000;
    let stopWaiting = () => {};
    connection.onGone(() => stopWaiting());
    for (;;) {
      const left = deadline - clock.monotonic();
      if (left <= 0) return known === undefined ? readPage() : emptyPage(query);
      // The waiter is registered before the page is read, so that a row committed in between wakes it.
      const waiter = this.#waiters.add(workspaceId, left, query.direction);
      stopWaiting = waiter.end;
      let page: FeedPage;
      try {
        page = known === undefined ? await readPage() : emptyPage(query);
      } catch (error) {
        waiter.end();
        throw error;
      }
      if (page.rows > 0 || connection.gone) {
        waiter.end();
        return page;
      }
      const reason = await waiter.done;
      if (reason !== 'woken' && reason !== 'changed') return page;
      known = undefined;
      page.release();
      if (reason === 'changed') return readPage();
    }
  }

  /** Reads one row, never cut. 404 for a row that the feed does not have. Release it when it is sent. */
  async readRow(
    workspaceId: string,
    activityId: string,
    view: FeedView,
    { isAgent }: { readonly isAgent: boolean },
  ): Promise<HeldText> {
    const row = await this.#pages.readRow(workspaceId, activityId.toLowerCase(), view, isAgent);
    if (row !== undefined) return row;
    throw new HttpError(404, 'activity_not_found', 'activity row not found', { field: 'activity_id' });
  }

  /** The place of the cursor. The agent has read up to there. */
  async #placeOf(workspaceId: string, query: FeedQuery, isAgent: boolean): Promise<number | undefined> {
    if (query.sinceId === undefined) return undefined;
    const cursor = await this.#findCursor(workspaceId, query.sinceId, isAgent, 'since_id');
    if (isAgent && showsAllMessages(query)) await this.#options.positions.read(workspaceId, cursor);
    return cursor.seq;
  }

  /** The place of the row at which a page ends. */
  async #endOf(workspaceId: string, { beforeId }: FeedQuery, isAgent: boolean): Promise<number | undefined> {
    if (beforeId === undefined) return undefined;
    return (await this.#findCursor(workspaceId, beforeId, isAgent, 'before_id')).seq;
  }

  /** A row that a pause hides from the agent is one that its feed does not have. */
  async #findCursor(
    workspaceId: string,
    id: string,
    isAgent: boolean,
    field: 'since_id' | 'before_id',
  ): Promise<Cursor> {
    const cursor = await this.#options.positions.find(workspaceId, id);
    const isHidden = isAgent && cursor !== undefined && cursor.seq > (cursor.visibleSeq ?? cursor.seq);
    if (cursor !== undefined && !isHidden) return cursor;
    throw new HttpError(410, 'cursor_not_found', `${field} cursor not found`, {
      field,
      hint: 'Read again with unacknowledged=true; without since_id a read may begin with the newest page.',
    });
  }
}

/** The page of a read that finds nothing; it uses no memory. */
function emptyPage({ sinceId }: FeedQuery): FeedPage {
  return { text: '[]', rows: 0, nextCursor: sinceId, hasMore: false, release: () => {} };
}

/** Whether a read skips no message, so that its cursor shows how far the agent has read. */
function showsAllMessages({ type, direction, source, peerId, conversationId }: FeedQuery): boolean {
  const isFiltered = source !== undefined || peerId !== undefined || conversationId !== undefined;
  return type === 'a2a_receive' && direction === 'in' && !isFiltered;
}
