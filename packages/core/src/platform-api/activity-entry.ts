import { extractAnswerText, extractMessageText, type JsonObject } from '@molecule-ai/protocol';
import { objectOf, textOf } from '../transport/answer-text.ts';

/**
 * A row of a workspace's activity, for people and tools that look at it. What a row does not have is `''`. What
 * peers and users wrote in it is untrusted.
 */
export interface ActivityEntry {
  readonly id: string;
  /** `a2a_receive`, `a2a_send`, `delegation`, `error` …; be ready for unknown words. */
  readonly type: string;
  /** `out` for what the workspace itself wrote. */
  readonly direction: 'in' | 'out';
  /** `message/send`, `notify` … */
  readonly method: string;
  /** The workspace that wrote; `''` for the user on the canvas and for the platform. */
  readonly sourceId: string;
  readonly targetId: string;
  readonly messageId: string;
  /** The message id that this one answers. */
  readonly inReplyTo: string;
  /** How far a message got: `pending`, `leased`, `delivered`, `acknowledged`, `answered` or `failed`. */
  readonly deliveryState: string;
  readonly text: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The row itself. */
  readonly raw: JsonObject;
}

/** Reads an activity row of any platform version; `undefined` when it is no object with an id. Never throws. */
export function readActivityEntry(value: unknown): ActivityEntry | undefined {
  const row = objectOf(value) as JsonObject | undefined;
  const id = textOf(row?.id);
  if (row === undefined || id === undefined) return undefined;
  const data = objectOf(row.data);
  const method = textOf(row.method) ?? '';
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
    text:
      textOf(data?.text) ?? (extractMessageText(row.request_body) || extractAnswerText(row.response_body)),
    createdAt: textOf(row.created_at) ?? textOf(row.ts) ?? '',
    raw: row,
  };
}
