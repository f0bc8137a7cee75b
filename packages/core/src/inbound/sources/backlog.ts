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
  const query = { limit, sinceSecs, order: 'desc', signal } as const;
  const newest = await client.fetchInboundPage({ ...query, ...(waitSecs > 0 ? { waitSecs } : {}) });
  let oldest = newest;
  while (oldest.hasMore && !isAllBehind(oldest, isBehind)) {
    const older = await readBefore(options, query, oldest);
    if (older === undefined) break;
    oldest = older;
  }
  const { waitApplied } = newest;
  return firstOf({ ...oldest, waitApplied, hasMore: newest.hasMore }, options.capacity);
}

/** `undefined` when there is nothing older, or it cannot be read. */
async function readBefore(
  { client, logger }: BacklogOptions,
  query: { readonly limit: number },
  { oldestRow }: InboundPage,
): Promise<InboundPage | undefined> {
  const at = Date.parse(oldestRow?.at ?? '');
  if (oldestRow === null || Number.isNaN(at)) return undefined;
  // Rows of the same moment may be on both sides of the page's end. More of them than a page has need a larger one.
  const sameMoment = new Date(at + 1).toISOString();
  const tries = [
    { limit: query.limit, beforeTs: sameMoment },
    { limit: MAX_LIMIT, beforeTs: sameMoment },
    { limit: query.limit, beforeTs: oldestRow.at },
  ];
  for (const { limit, beforeTs } of tries) {
    try {
      const page = await client.fetchInboundPage({ ...query, limit, beforeTs });
      if (page.oldestRow !== null && page.oldestRow.id !== oldestRow.id) return page;
    } catch (error) {
      if (!PageTooLargeError.isInstance(error)) throw error;
      if (limit > query.limit) continue;
      if (limit > 1) throw error;
      logger.error({ error, beforeTs }, 'A row of the feed is too large: older messages are not read.');
      return undefined;
    }
  }
  return undefined;
}

function isAllBehind({ messages }: InboundPage, isBehind: BacklogOptions['isBehind']): boolean {
  return messages.length > 0 && messages.every(isBehind);
}

function firstOf(page: InboundPage, count: number): InboundPage {
  if (page.messages.length <= count) return page;
  const messages = page.messages.slice(0, count);
  return { ...page, messages, lastRowId: messages.at(-1)?.id ?? null, hasMore: true };
}
