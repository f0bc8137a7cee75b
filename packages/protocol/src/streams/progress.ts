import * as z from 'zod';
import { columnText } from '../field-limits.ts';
import { Count } from '../ids.ts';
import { type WireType, wire } from '../wire.ts';

/** Longest text of one report of progress, in characters. */
export const MAX_PROGRESS_LENGTH = 256 * 1024;

/**
 * More of an answer that a polling agent is making. `offset` is how much of the text the agent has reported before, in UTF-16
 * units. `run_id` names the run of the handler. `final`: the run reports no more.
 */
export const ProgressRequest = wire('ProgressRequest', (w) =>
  w.object({
    run_id: columnText().min(1).max(200),
    offset: Count,
    text: z.string().max(MAX_PROGRESS_LENGTH),
    final: w.maybe(z.boolean()),
  }),
);
export type ProgressRequest = WireType<typeof ProgressRequest>;

/** `offset` is how much of the text the platform has now. */
export const ProgressResponse = wire('ProgressResponse', (w) =>
  w.object({ status: w.oneOf(['ok']), offset: Count }),
);
export type ProgressResponse = WireType<typeof ProgressResponse>;
