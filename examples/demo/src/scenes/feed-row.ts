import type { ActivityPage } from '@molecule-ai/core/operator';
import type { Member } from '../stage/member.ts';

type RawRow = ActivityPage['rows'][number];

/** What the demo looks at in a row of an activity feed. */
export interface FeedRow {
  /** Whose feed it is in. */
  readonly owner: Member;
  readonly id: string;
  readonly createdAt: string;
  readonly direction: 'in' | 'out';
  readonly sourceId: string;
  readonly messageId: string;
  readonly inReplyTo: string;
  /** How far a message got: pending, leased, delivered, acknowledged, answered or failed. */
  readonly state: string;
  readonly text: string;
}

export function readFeedRow(row: RawRow, owner: Member): FeedRow {
  const data = row.data;
  const text = typeof data === 'object' && data !== null && 'text' in data ? data.text : undefined;
  return {
    owner,
    id: textOf(row.id),
    createdAt: textOf(row.created_at),
    direction: row.direction === 'out' ? 'out' : 'in',
    sourceId: textOf(row.source_id),
    messageId: textOf(row.message_id),
    inReplyTo: textOf(row.in_reply_to),
    state: textOf(row.delivery_state),
    text: textOf(text),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
