import { type ActivityFilters, getActivity } from '../platform-api/activity.ts';
import { type ActivityEntry, readActivityEntry } from '../platform-api/activity-entry.ts';
import { headerOf, objectOf } from '../transport/answer-text.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** One page of a workspace's activity, for people and tools that look at it. */
export interface ActivityPage {
  /** In the platform's order; what is no row is left out. */
  readonly rows: readonly ActivityEntry[];
  readonly hasMore: boolean;
}

/** Reads one page of activity. */
export async function readActivityPage(
  transport: Transport,
  workspaceId: string,
  filters: ActivityFilters & CallOptions,
): Promise<ActivityPage> {
  const answer = await getActivity(transport, workspaceId, filters, { signal: filters.signal });
  const list = Array.isArray(answer.body) ? answer.body : objectOf(answer.body)?.items;
  const values: unknown[] = Array.isArray(list) ? list : [];
  const rows = values.map(readActivityEntry).filter((entry) => entry !== undefined);
  const more = headerOf(answer, 'x-has-more');
  return { rows, hasMore: more === undefined ? values.length >= (filters.limit ?? 100) : more === 'true' };
}
