import { z } from 'zod';
import { Count, Uuid } from './ids.ts';
import { type WireType, wire } from './wire.ts';

const digits = z.string().regex(/^\d+$/);

/**
 * Query of `GET /workspaces/:id/activity`; all values are text, as in a URL. `limit` 1–500 (100; a bad one
 * counts as 100), `since_id` an id: rows after it, ascending, 410 `cursor_not_found` for an unknown one;
 * `since_secs` at most 30 days; `wait` 0–60 s, confirmed by the header `X-Wait-Applied`; `unacknowledged=true`
 * gives only rows not yet acknowledged, oldest first. Source: wire contract 3.23 and 10.2, decisions 13 and 14.
 */
export const ActivityQuery = wire('ActivityQuery', (w) =>
  w.object({
    type: z.string().optional(),
    source: z.enum(['canvas', 'agent']).optional(),
    limit: w.either(digits, z.string()).optional(),
    since_id: z.string().optional(),
    since_secs: digits.optional(),
    before_ts: z.iso.datetime({ offset: true }).optional(),
    peer_id: Uuid.optional(),
    include: z.string().optional(),
    order: z.enum(['asc', 'desc']).optional(),
    direction: z.enum(['in', 'out', 'all']).optional(),
    wait: digits.optional(),
    unacknowledged: z.enum(['true', 'false']).optional(),
  }),
);
export type ActivityQuery = WireType<typeof ActivityQuery>;

/** Body of `POST /workspaces/:id/activity/ack`: the last finished row, by id or `seq` (decision 12). */
export const AckRequest = wire('AckRequest', (w) => w.object({ up_to: z.union([z.string().min(1), Count]) }));
export type AckRequest = WireType<typeof AckRequest>;

/** Answer of an acknowledgement: the position now, and how many rows it newly covers. */
export const AckAnswer = wire('AckAnswer', (w) =>
  w.object({ status: w.oneOf(['acknowledged']), up_to: z.string(), seq: Count, acknowledged: Count }),
);
export type AckAnswer = WireType<typeof AckAnswer>;
