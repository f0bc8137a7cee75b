import { type InboundMessage, type JsonValue, parseActivityFeed } from '@molecule-ai/protocol';
import { CursorLostError } from '../errors/api-error.ts';
import { createReply, type PeerReply } from '../peers/peer-reply.ts';
import { getActivity } from '../platform-api/activity.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

const PAUSE_MS = 5_000;
const PAGE_LIMIT = 100;

interface Waiting extends CallOptions {
  /** Only the answer of this workspace counts; where it is not known, the first of any. */
  readonly peerId: string | undefined;
  /** On the monotonic clock. */
  readonly endsAt: number;
}

/**
 * Waits for the answer to a message as a row of the workspace's own feed: one of the newest 100, or a later one. After
 * `endsAt` the status is `queued`. Messages that end without an answer are not seen.
 */
export async function waitForAnswerOnFeed(
  transport: Transport,
  workspaceId: string,
  messageId: string,
  { signal, endsAt, peerId: asked }: Waiting,
): Promise<PeerReply> {
  const { clock } = transport.settings;
  const facts = { messageId, code: null, via: 'proxy', isWrapped: true } as const;
  let cursor: string | undefined;
  for (;;) {
    const feed = await readOwnFeed(transport, workspaceId, cursor, signal);
    const row = feed.deliverable.find((message) => isAnswer(message, messageId, asked));
    if (row !== undefined) {
      const { peerId, contextId } = row;
      const message = { kind: 'message', role: 'agent', messageId: row.messageId, parts: [...row.parts] };
      const raw = { jsonrpc: '2.0', id: messageId, result: message };
      return createReply({ ...facts, status: 'answered', peerId, contextId, raw });
    }
    const hasMore = cursor !== undefined && feed.rows.length >= PAGE_LIMIT;
    cursor = feed.lastRowId ?? cursor;
    const now = clock.monotonic();
    if (now >= endsAt)
      return createReply({ ...facts, status: 'queued', peerId: asked ?? '', contextId: '', raw: null });
    if (!hasMore) await clock.sleep(Math.min(PAUSE_MS, endsAt - now), { signal });
  }
}

/** Whoever learns a message id can write that it answers it. */
function isAnswer(message: InboundMessage, messageId: string, asked: string | undefined): boolean {
  if (message.inReplyTo !== messageId) return false;
  return asked === undefined || message.peerId.toLowerCase() === asked.toLowerCase();
}

/** The rows after `sinceId`; without it, or where the platform no longer has that row, the newest. */
export async function readOwnFeed(
  transport: Transport,
  workspaceId: string,
  sinceId: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ReturnType<typeof parseActivityFeed>> {
  const page = { type: 'a2a_receive', limit: PAGE_LIMIT, signal };
  const { body } = await getActivity(transport, workspaceId, { ...page, sinceId }).catch((error: unknown) => {
    if (!CursorLostError.isInstance(error)) throw error;
    return getActivity(transport, workspaceId, page);
  });
  return parseActivityFeed(body as JsonValue | undefined, { self: workspaceId });
}
