import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { type HeldText, type MemoryShare, ResponseMemory } from '../waiting/response-memory.ts';
import { carriesAnswer, type FeedAudience, toActivityRow } from './activity-row.rules.ts';
import { MAX_ANSWER_IN_ROW } from './answer-cut.rules.ts';
import { compactRowText, storedRowText } from './compact-row.rules.ts';
import {
  type CompactHead,
  type FeedHead,
  FeedPageStore,
  type FeedRecord,
  type PageSelection,
} from './feed-page.store.ts';
import type { FeedQuery, FeedView } from './feed-query.rules.ts';

/** A page has at most so many bytes, and at least one row. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Columns of a page's rows that are read in one step have so many bytes together; longer ones are read row by row. */
const INLINE_BYTES = 1024 * 1024;
const USUAL_MEMORY = 8 * 1024 * 1024;
const LONG_ROW_BYTES = 64 * 1024;

/** One page of the feed. */
export interface FeedPage extends HeldText {
  /** The number of rows. */
  readonly rows: number;
  /** The cursor of the next page in ascending order; undefined when there is neither a row nor a cursor. */
  readonly nextCursor: string | undefined;
  readonly hasMore: boolean;
}

/** The rows between which a page is. */
export type FeedPlaces = Pick<PageSelection, 'sinceSeq' | 'beforeSeq'>;

/** The rows of a page that fit, in its order. */
interface BuiltPage {
  readonly texts: readonly string[];
  readonly bytes: number;
  readonly newestId: string | undefined;
  readonly hasMore: boolean;
}

/** Builds pages: bounded in size, in memory, and in how long they keep other requests from running. */
export class FeedPages {
  readonly #options: Pick<PlatformContext, 'clock' | 'publicUrl' | 'settings'>;
  readonly #store: FeedPageStore;
  readonly #memory: ResponseMemory;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'publicUrl' | 'settings'>) {
    this.#options = options;
    this.#store = new FeedPageStore(options);
    this.#memory = new ResponseMemory(options);
  }

  /** @throws HttpError 503 when other reads use the memory for pages for 10 s. */
  async read(workspaceId: string, query: FeedQuery, places: FeedPlaces, isAgent: boolean): Promise<FeedPage> {
    const page = await this.#withMemory(workspaceId, USUAL_MEMORY, (memory) =>
      this.#build(workspaceId, query, places, isAgent, memory),
    );
    const { texts, newestId, hasMore } = page.result;
    return {
      text: `[${texts.join()}]`,
      rows: texts.length,
      nextCursor: newestId ?? query.sinceId,
      hasMore,
      release: page.release,
    };
  }

  /** Reads one row, never cut; undefined when the feed does not have it. */
  async readRow(
    workspaceId: string,
    id: string,
    view: FeedView,
    isAgent: boolean,
  ): Promise<HeldText | undefined> {
    const head = await this.#store.readHead(workspaceId, id, isAgent);
    if (head === undefined) return undefined;
    const { inPage, toRead } = costOf(head, view, Number.POSITIVE_INFINITY);
    const built = await this.#withMemory(workspaceId, inPage + toRead, async () => {
      const record = await this.#store.readWhole(Number(head.seq));
      const text = record && this.#write(record, view, this.#audience(isAgent), Number.POSITIVE_INFINITY);
      return { text, bytes: inPage };
    });
    const { text } = built.result;
    if (text !== undefined) return { text, release: built.release };
    built.release();
    return undefined;
  }

  /** Runs `build` with memory; runs it again with as much as it asks for if that is more. */
  async #withMemory<T extends { readonly bytes: number }>(
    workspaceId: string,
    bytes: number,
    build: (bytes: number) => Promise<T | { readonly needed: number }>,
  ): Promise<{ readonly result: T; release(): void }> {
    for (let wanted = bytes; ; ) {
      const share: MemoryShare = await this.#memory.reserve(workspaceId, wanted);
      try {
        const result = await build(wanted);
        if (!('needed' in result)) {
          share.shrink(result.bytes);
          return { result, release: share.release };
        }
        share.release();
        wanted = result.needed;
      } catch (error) {
        share.release();
        throw error;
      }
    }
  }

  async #build(
    workspaceId: string,
    query: FeedQuery,
    places: FeedPlaces,
    isAgent: boolean,
    memory: number,
  ): Promise<BuiltPage | { readonly needed: number }> {
    const { view, limit } = query;
    const heads = await this.#store.readHeads({
      workspaceId,
      query,
      ...places,
      isAgent,
      // What has expired is not handed to the agent, also when its end is not recorded yet.
      deliverableAt: isAgent && query.direction === 'in' ? timestamp(this.#options.clock) : undefined,
      maxColumnBytes: maxColumnBytes(limit),
    });
    const isReadBackwards = query.order !== 'asc';
    // An agent without a cursor continues after the rows it got, so what does not fit must be the newest.
    const isBounded = query.before !== undefined || query.beforeId !== undefined;
    const keepsOldest = isReadBackwards && isAgent && query.direction === 'in' && !isBounded;
    const wanted = heads.slice(0, limit);
    if (keepsOldest) wanted.reverse();
    const maxColumn = maxColumnBytes(limit);
    const plan = planPage(wanted, view, maxColumn);
    if (plan.memory > memory) return { needed: plan.memory };
    const audience = this.#audience(isAgent);
    const texts: string[] = [];
    const ids: string[] = [];
    let bytes = 0;
    for (const head of plan.heads) {
      let text = shortRowText(head, audience, maxColumn);
      if (text === undefined) {
        // Each long row in a turn of its own, so that other requests run in between.
        if ((head.request_bytes ?? 0) + (head.response_bytes ?? 0) > LONG_ROW_BYTES) await nextTurn();
        const record = await this.#store.readWhole(Number(head.seq));
        if (record === undefined) continue;
        text = this.#write(record, view, audience, MAX_ANSWER_IN_ROW);
      }
      const size = text.length < 1_000 ? text.length * 3 : Buffer.byteLength(text);
      if (texts.length > 0 && bytes + size > MAX_PAGE_BYTES - texts.length - 2) break;
      texts.push(text);
      ids.push(head.id);
      bytes += size;
    }
    // Of the newest page that is read forwards only what did not fit follows its cursor; older rows do not.
    const hasMore = (!keepsOldest || query.order === 'desc') && heads.length > limit;
    const isAscending = keepsOldest || !isReadBackwards;
    if (isAscending !== (query.order !== 'desc')) {
      texts.reverse();
      ids.reverse();
    }
    return {
      texts,
      bytes,
      newestId: query.order === 'desc' ? ids[0] : ids.at(-1),
      hasMore: hasMore || texts.length < wanted.length,
    };
  }

  #write(record: FeedRecord, view: FeedView, audience: FeedAudience, maxAnswerBytes: number): string {
    return view === 'compact'
      ? compactRowText(record, audience, maxAnswerBytes)
      : JSON.stringify(toActivityRow(record, audience, maxAnswerBytes));
  }

  #audience(isAgent: boolean): FeedAudience {
    const { settings, publicUrl } = this.#options;
    return { wrapAnswers: isAgent && settings.wrapPeerResults, publicUrl: publicUrl() };
  }
}

/** The text of a row whose columns were all read with its page; undefined for another one. */
function shortRowText(
  head: FeedHead | CompactHead,
  audience: FeedAudience,
  maxColumn: number,
): string | undefined {
  if (!('workspace_id' in head)) return storedRowText(head);
  return hasShortColumns(head, maxColumn)
    ? JSON.stringify(toActivityRow(head, audience, MAX_ANSWER_IN_ROW))
    : undefined;
}

function maxColumnBytes(limit: number): number {
  return Math.floor(INLINE_BYTES / (limit + 1));
}

/** The first rows that fit into a page, and the memory to build it. */
function planPage(
  heads: readonly (FeedHead | CompactHead)[],
  view: FeedView,
  maxColumn: number,
): { readonly heads: readonly (FeedHead | CompactHead)[]; readonly memory: number } {
  let bytes = 0;
  let toRead = 0;
  let count = 0;
  for (const head of heads) {
    const cost = costOf(head, view, MAX_ANSWER_IN_ROW);
    if (count > 0 && bytes + cost.inPage > MAX_PAGE_BYTES) break;
    bytes += cost.inPage;
    if (!hasShortColumns(head, maxColumn)) toRead = Math.max(toRead, cost.toRead);
    count += 1;
  }
  return { heads: heads.slice(0, count), memory: 4 * INLINE_BYTES + bytes + toRead };
}

function hasShortColumns(head: FeedHead | CompactHead, maxColumn: number): boolean {
  const { request_bytes: request, response_bytes: response, other_bytes: others } = head;
  return (request ?? 0) <= maxColumn && (response ?? 0) <= maxColumn && others <= maxColumn;
}

/** About how many bytes a row has in a page, and how much memory it takes to read and build it. */
function costOf(
  head: FeedHead | CompactHead,
  view: FeedView,
  maxAnswerBytes: number,
): { readonly inPage: number; readonly toRead: number } {
  const request = head.request_bytes ?? 0;
  const response = head.response_bytes ?? 0;
  const toRead = 4 * (request + response + head.other_bytes);
  if (!('workspace_id' in head)) {
    // Without a stored row it may be an answer, or what the workspace said itself.
    const shown = head.other_bytes > 0 ? request : Math.max(request, response);
    return { inPage: 700 + shown + head.other_bytes, toRead };
  }
  const inbound = head.direction === 'in';
  const isAnswer = carriesAnswer(head);
  const shownRequest = isAnswer ? Math.min(request, maxAnswerBytes) : request;
  if (view === 'compact') {
    return { inPage: 700 + shownRequest + head.other_bytes + (inbound ? 0 : response), toRead };
  }
  const shownResponse = inbound ? Math.min(response, maxAnswerBytes) : 2 * response;
  const texts = isAnswer ? 4 : 2;
  return { inPage: 1_200 + texts * shownRequest + shownResponse + head.other_bytes, toRead };
}
