import { type InboundMessage, type JsonValue, parseActivityFeed } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { getActivity } from '../platform-api/activity.ts';
import { headerOf, objectOf } from '../transport/answer-text.ts';
import type { CallOptions, PlatformAnswer } from '../transport/platform-request.ts';
import { shapeError } from '../transport/shape-error.ts';
import type { ClientContext } from './client-context.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
const MAX_WAIT_SECONDS = 60;

/** Which messages to read. */
export interface FetchInboundOptions extends CallOptions {
  /** Only messages after this row, oldest first. */
  sinceId?: string | undefined;
  /** Only messages of this workspace. */
  peerId?: string | undefined;
  /** Only messages before this RFC 3339 time. */
  beforeTs?: string | undefined;
  /** Rows per page, 1–500. @default 100 */
  limit?: number | undefined;
  /** Only messages of the last so many seconds. */
  sinceSecs?: number | undefined;
  /** How long the platform may hold the request until a message comes, in whole seconds, 0–60. @default 0 */
  waitSecs?: number | undefined;
  /** Only messages not yet acknowledged, oldest first. @default false */
  unacknowledged?: boolean | undefined;
  /** Which rows a page without `sinceId` takes: the oldest or the newest. @default the platform's, newest */
  order?: 'asc' | 'desc' | undefined;
}

/** One page of the inbound feed. */
export interface InboundPage {
  /** Oldest first. */
  readonly messages: readonly InboundMessage[];
  /** How many rows the platform sent. */
  readonly rows: number;
  /** How many of them are no message to this agent. */
  readonly skipped: number;
  /** The last row, also when it is no message: the cursor may move past it. `null` for an empty page. */
  readonly lastRowId: string | null;
  readonly hasMore: boolean;
  /** Whether the platform held the request; when not, poll at an interval (decision 13). */
  readonly waitApplied: boolean;
}

/** Reads one page of the inbound feed. */
export async function readInboundPage(
  context: ClientContext,
  options: FetchInboundOptions,
): Promise<InboundPage> {
  const limit = checkRange('limit', options.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
  const filters = {
    type: 'a2a_receive',
    sinceId: options.sinceId === '' ? undefined : options.sinceId,
    peerId: options.peerId === '' ? undefined : options.peerId,
    beforeTs: options.beforeTs === '' ? undefined : options.beforeTs,
    limit,
    sinceSecs: checkRange('sinceSecs', options.sinceSecs, 1, Number.MAX_SAFE_INTEGER),
    waitSecs: checkRange('waitSecs', options.waitSecs, 0, MAX_WAIT_SECONDS),
    unacknowledged: options.unacknowledged === true ? true : undefined,
    order: options.order,
  };
  const { settings, transport, logger } = context;
  const answer = await getActivity(transport, settings.workspaceId, filters, { signal: options.signal });
  const feed = parseActivityFeed(checkFeed(answer, settings.workspaceId), { self: settings.workspaceId });
  const peerId = filters.peerId?.toLowerCase();
  const messages =
    peerId === undefined
      ? feed.deliverable
      : feed.deliverable.filter((message) => message.peerId.toLowerCase() === peerId);
  const rows = feed.deliverable.length + feed.skipped;
  const unreadable = rows - feed.rows.length;
  if (unreadable > 0) logger.warn({ unreadable }, 'The feed held rows that are no objects or have no id.');
  const more = headerOf(answer, 'x-has-more');
  return {
    messages,
    rows,
    skipped: rows - messages.length,
    lastRowId: feed.lastRowId,
    hasMore: more === undefined ? rows >= limit : more === 'true',
    waitApplied: headerOf(answer, 'x-wait-applied') !== undefined,
  };
}

function checkFeed(answer: PlatformAnswer, workspaceId: string): JsonValue {
  const { body } = answer;
  if (body === undefined || body === null) return [];
  if (Array.isArray(body) || Array.isArray(objectOf(body)?.items)) return body as JsonValue;
  const path = `/workspaces/${workspaceId}/activity`;
  throw shapeError({ method: 'GET', path }, answer.status, 'a list of rows was expected');
}

function checkRange(name: string, value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new MoleculeError(`${name} must be an integer from ${min} to ${max}, got ${value}.`, {
      code: 'invalid_argument',
    });
  }
  return value;
}
