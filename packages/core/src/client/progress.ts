import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** A handler that is far ahead waits for a report. */
const TIMEOUT_MS = 10_000;

/** More of the answer that a handler is making. */
export interface ProgressReport {
  /** The row of the message. */
  readonly activityId: string;
  /** Names the run of the handler. */
  readonly runId: string;
  /** How much of the text was reported before, in UTF-16 units. */
  readonly offset: number;
  /** At most 256 Ki UTF-16 units. */
  readonly text: string;
  /** Whether the run reports nothing more. */
  readonly isFinal: boolean;
}

export interface ProgressReceipt {
  /** Whether the report was taken. */
  readonly isTaken: boolean;
  /** Where the next report begins, in UTF-16 units; `null` when this run must not report any more. */
  readonly nextOffset: number | null;
}

/** Reports once, without a retry: the next report has more text. */
export async function reportProgress(
  { transport, settings }: ClientContext,
  { activityId, runId, offset, text, isFinal }: ProgressReport,
  { signal }: CallOptions,
): Promise<ProgressReceipt> {
  const params = { id: settings.workspaceId, activityId };
  const body = { run_id: runId, offset, text, ...(isFinal ? { final: true } : {}) };
  try {
    const input = { params, body, signal, isRepeatable: false, timeoutMs: TIMEOUT_MS };
    const response = await call(transport, routes.reportProgress, input);
    return { isTaken: true, nextOffset: response.offset };
  } catch (error) {
    if (!ApiError.isInstance(error) || error.platformCode !== 'progress_conflict') throw error;
    const expected = error.details?.expected_offset;
    return { isTaken: false, nextOffset: typeof expected === 'number' ? expected : null };
  }
}
