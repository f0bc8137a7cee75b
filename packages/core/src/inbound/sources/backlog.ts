import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../../client/inbound-page.ts';
import type { PeerClient } from '../../client/peer-client.ts';
import { PageTooLargeError } from '../../errors/page-too-large-error.ts';
import type { Logger } from '../../logging/logger.ts';

const MAX_LIMIT = 500;

export interface BacklogOptions {
  readonly client: Pick<PeerClient, 'fetchInboundPage'>;
  readonly logger: Logger;
  /** Rows per read. */
  readonly limit: number;
  /** Most messages that the returned page may have. */
  readonly capacity: number;
  /** Looks back this far, in seconds. */
  readonly sinceSecs: number | undefined;
  /** Of the first read. */
  readonly waitSecs: number;
  /** Whether this message, and all before it, were finished by an earlier read. */
  readonly isBehind: (message: InboundMessage) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Returns the oldest page that has to be read from a platform that keeps no acknowledgements: without a cursor it sends
 * its newest rows, so this goes backwards until a page is short, brings nothing older, or was read before. Only one page
 * is in memory; those between are read again forwards, after its last row.
 */
export async function readOldestPage(options: BacklogOptions): Promise<InboundPage> {
  const { client, limit, sinceSecs, waitSecs, isBehind, signal } = options;
  const query = { limit, sinceSecs, order: 'desc', isRetried: false, takesTurns: true, signal } as const;
  const newest = await client.fetchInboundPage({ ...query, ...(waitSecs > 0 ? { waitSecs } : {}) });
  let oldest = newest;
  for (let isEnd = false; !isEnd && oldest.hasMore && !isAllBehind(oldest, isBehind); ) {
    const older = await readBefore(options, query, oldest);
    oldest = older.page;
    isEnd = older.isEnd;
  }
  const { waitApplied } = newest;
  return firstOf({ ...oldest, waitApplied, hasMore: newest.hasMore }, options.capacity);
}

/** `isEnd`: there is nothing before this page, or it cannot be read. */
interface OlderPage {
  readonly page: InboundPage;
  readonly isEnd: boolean;
}

/** Each step goes back in time, so that the steps end whatever the platform sends. */
async function readBefore(
  { client, logger }: BacklogOptions,
  query: { readonly limit: number },
  page: InboundPage,
): Promise<OlderPage> {
  const { oldestRow } = page;
  const at = Date.parse(oldestRow?.at ?? '');
  if (oldestRow === null || Number.isNaN(at)) return { page, isEnd: true };
  // Rows of the same moment may be on both sides of the page's end. More of them than a page has need a larger one.
  const sameMoment = new Date(at + 1).toISOString();
  const tries = [
    { limit: query.limit, beforeTs: sameMoment },
    { limit: MAX_LIMIT, beforeTs: sameMoment },
    { limit: query.limit, beforeTs: oldestRow.at },
  ];
  let end = page;
  for (const { limit, beforeTs } of tries) {
    try {
      const found = await client.fetchInboundPage({ ...query, limit, beforeTs });
      if (isOlder(found, oldestRow.at)) return { page: found, isEnd: false };
      if (limit >= page.rows && Date.parse(found.oldestRow?.at ?? '') === at) end = found;
      if (beforeTs === oldestRow.at && found.oldestRow !== null) {
        const text =
          'The platform sends no older rows of the feed: messages from before this time are not read.';
        logger.warn({ beforeTs }, text);
      }
    } catch (error) {
      if (!PageTooLargeError.isInstance(error)) throw error;
      if (limit > query.limit) continue;
      if (limit > 1) throw error;
      logger.error({ error, beforeTs }, 'A row of the feed is too large: older messages are not read.');
      break;
    }
  }
  return { page: end, isEnd: true };
}

/** Times of one platform have one format, in which parts of a millisecond can be compared as text. */
function isOlder({ oldestRow }: InboundPage, at: string): boolean {
  if (oldestRow === null) return false;
  const ms = Date.parse(oldestRow.at) - Date.parse(at);
  return ms < 0 || (ms === 0 && oldestRow.at.length === at.length && oldestRow.at < at);
}

function isAllBehind({ messages }: InboundPage, isBehind: BacklogOptions['isBehind']): boolean {
  return messages.length > 0 && messages.every(isBehind);
}

function firstOf(page: InboundPage, count: number): InboundPage {
  if (page.messages.length <= count) return page;
  const messages = page.messages.slice(0, count);
  return { ...page, messages, lastRowId: messages.at(-1)?.id ?? null, hasMore: true };
}
