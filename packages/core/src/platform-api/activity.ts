import { extractAnswerText, extractMessageText, type JsonObject } from '@molecule-ai/protocol';
import type { Bytes } from '../settings/node-types.ts';
import { abortSignal, flag, given, type OptionsOf, word } from '../settings/options.ts';
import { headerOf, objectOf, textOf } from '../transport/http-response.ts';
import type { CallOptions, PlatformResponse } from '../transport/platform-request.ts';

export class ActivityFiltersShape {
  /** For example `a2a_receive`. @default all types */
  type = given<string>();
  source = word(['canvas', 'agent'], undefined);
  direction = word(['in', 'out', 'all'], undefined);
  /** Only rows after this one, oldest first. */
  sinceId = given<string>();
  /** Only rows of the last n seconds. */
  sinceSecs = given<number>();
  /** Only rows before this RFC 3339 time. */
  beforeTs = given<string>();
  /** Only rows before this one. */
  beforeId = given<string>();
  /** Only rows from or to this workspace. */
  peerId = given<string>();
  /** Only rows of this conversation. */
  conversationId = given<string>();
  /** Rows per page, 1–500. @default 100 */
  limit = given<number>();
  order = word(['asc', 'desc'], undefined);
  /** Only rows not yet acknowledged, oldest first. */
  unacknowledged = flag(undefined);
  /** How long the platform may hold the request until there is a row, in whole seconds, 0–60. */
  waitSecs = given<number>();
}

export interface ActivityFilters extends OptionsOf<ActivityFiltersShape> {}

/** The filters with `signal`, as a call takes them. */
export class ListActivityShape extends ActivityFiltersShape {
  signal = abortSignal();
}

/** What a read of the feed says besides the filters. */
export interface ActivityRead extends ActivityFilters, CallOptions {
  readonly instanceId?: string | undefined;
  readonly takeover?: boolean | undefined;
  /** Asks for compact rows; a platform without them sends full ones. */
  readonly view?: 'compact' | undefined;
  readonly onTooLarge?: ((received: Bytes) => void) | undefined;
  readonly isRetried?: boolean | undefined;
}

export interface ActivityPage {
  /** In the platform's order, without invalid rows. */
  readonly rows: readonly ActivityEntry[];
  readonly hasMore: boolean;
}

/** Reads a page of the feed; `limit` is that of its request. */
export function readActivityPage(response: PlatformResponse, limit = 100): ActivityPage {
  const list = Array.isArray(response.body) ? response.body : objectOf(response.body)?.items;
  const values: unknown[] = Array.isArray(list) ? list : [];
  const rows = values.map(readActivityEntry).filter((entry) => entry !== undefined);
  const more = headerOf(response, 'x-has-more');
  return { rows, hasMore: more === undefined ? values.length >= limit : more === 'true' };
}

/**
 * A row of a workspace's activity. Missing values are `''`. Text written by peers and users is untrusted.
 */
export interface ActivityEntry {
  readonly id: string;
  /** `a2a_receive`, `a2a_send`, `delegation`, `error` …; expect unknown values. */
  readonly type: string;
  /** `out` for rows written by the workspace itself. */
  readonly direction: 'in' | 'out';
  /** `message/send`, `notify` … */
  readonly method: string;
  /** The sender's workspace; `''` for the user on the canvas and for the platform. */
  readonly sourceId: string;
  readonly targetId: string;
  readonly messageId: string;
  /** The message id that this one answers. */
  readonly inReplyTo: string;
  /** Delivery state of a message: `pending`, `leased`, `delivered`, `acknowledged`, `answered` or `failed`. */
  readonly deliveryState: string;
  readonly text: string;
  /** The text of the answer to a message, as its agent gave it; `''` while there is none. */
  readonly answer: string;
  /** The conversation that a message belongs to. */
  readonly conversationId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The row as sent by the platform. */
  readonly raw: JsonObject;
}

/** Reads an activity row of any platform version; `undefined` if it is not an object with an id. Never throws. */
export function readActivityEntry(value: unknown): ActivityEntry | undefined {
  const row = objectOf(value) as JsonObject | undefined;
  const id = textOf(row?.id);
  if (row === undefined || id === undefined) return undefined;
  const data = objectOf(row.data);
  const method = textOf(row.method) ?? '';
  const request = extractMessageText(row.request_body);
  return {
    id,
    type: textOf(row.activity_type) ?? textOf(row.type) ?? '',
    direction: row.direction === 'out' || method === 'notify' ? 'out' : 'in',
    method,
    sourceId: textOf(row.source_id) ?? '',
    targetId: textOf(row.target_id) ?? '',
    messageId: textOf(row.message_id) ?? '',
    inReplyTo: textOf(row.in_reply_to) ?? '',
    deliveryState: textOf(row.delivery_state) ?? '',
    text: textOf(data?.text) ?? (request || extractAnswerText(row.response_body)),
    answer: row.delivery_state === 'answered' ? extractAnswerText(row.response_body) : '',
    conversationId: textOf(row.conversation_id) ?? '',
    createdAt: textOf(row.created_at) ?? textOf(row.ts) ?? '',
    raw: row,
  };
}
