import { AckAnswer } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { CursorLostError } from '../errors/cursor-lost-error.ts';
import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import { platformPath, queryOf } from '../transport/platform-path.ts';
import type { CallOptions, PlatformAnswer, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import type { Transport } from '../transport/transport.ts';

/** Filters of the activity feed (wire contract 3.23, 10.2). */
export interface ActivityFilters {
  /** For example `a2a_receive`; left out means every type. */
  type?: string | undefined;
  source?: 'canvas' | 'agent' | undefined;
  direction?: 'in' | 'out' | 'all' | undefined;
  /** Only rows after this one, oldest first. */
  sinceId?: string | undefined;
  /** Only rows of the last so many seconds. */
  sinceSecs?: number | undefined;
  /** Only rows before this RFC 3339 time. */
  beforeTs?: string | undefined;
  /** Only rows from or to this workspace. */
  peerId?: string | undefined;
  /** Rows per page, 1–500. @default 100 */
  limit?: number | undefined;
  order?: 'asc' | 'desc' | undefined;
  /** Only rows not yet acknowledged, oldest first. */
  unacknowledged?: boolean | undefined;
  /** How long the platform may hold the request until there is a row, in whole seconds, 0–60. */
  waitSecs?: number | undefined;
}

/**
 * `GET /workspaces/:id/activity`: the answer as it came.
 * @throws CursorLostError when the platform does not know `sinceId`.
 */
export async function getActivity(
  transport: Transport,
  workspaceId: string,
  filters: ActivityFilters,
  options: CallOptions = {},
): Promise<PlatformAnswer> {
  const waitSecs = filters.waitSecs ?? 0;
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/workspaces/${workspaceId}/activity`,
    query: queryOf({
      type: filters.type,
      include: 'peer_info',
      limit: filters.limit,
      source: filters.source,
      direction: filters.direction,
      since_id: filters.sinceId,
      since_secs: filters.sinceSecs,
      before_ts: filters.beforeTs,
      peer_id: filters.peerId,
      order: filters.order,
      unacknowledged: filters.unacknowledged,
      wait: waitSecs > 0 ? waitSecs : undefined,
    }),
    isRepeatable: true,
    timeoutMs: transport.settings.messageTimeoutMs + waitSecs * 1_000,
    signal: options.signal,
  };
  try {
    return await transport.send(request);
  } catch (error) {
    throw filters.sinceId === undefined ? error : (cursorLost(error, filters.sinceId) ?? error);
  }
}

/** `POST /workspaces/:id/activity/ack` (decision 12). */
export async function postAck(
  transport: Transport,
  workspaceId: string,
  upTo: string | number,
  options: CallOptions = {},
): Promise<AckAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: platformPath`/workspaces/${workspaceId}/activity/ack`,
    body: { up_to: upTo },
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(AckAnswer, await transport.send(request), request);
}

function cursorLost(error: unknown, cursor: string): CursorLostError | undefined {
  if (!ApiError.isInstance(error) || error.status !== 410 || WorkspaceRemovedError.isInstance(error))
    return undefined;
  return new CursorLostError(
    `The platform no longer knows the cursor ${JSON.stringify(cursor.slice(0, 80))}.`,
    {
      status: error.status,
      method: error.method,
      path: error.path,
      platformCode: error.platformCode,
      body: error.bodyExcerpt,
      cursor,
      hint: 'Read again without sinceId; messages seen before can come again.',
      cause: error,
    },
  );
}
