import type { ReportActivityRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import { inTransaction } from '../database/unit-of-work.ts';
import { ApiError } from '../http/api-error.ts';
import type { ActivityService } from './activity.service.ts';

/** Writes what an agent reports about its own work; fails when the row was not stored (wire contract 3.23). */
export async function reportActivity(
  context: PlatformContext,
  activity: ActivityService,
  workspaceId: string,
  report: ReportActivityRequest,
): Promise<{ id: string; seq: number }> {
  const sourceId = report.source_id?.toLowerCase() ?? '';
  if (sourceId !== '' && sourceId !== workspaceId) {
    throw new ApiError(403, 'source_mismatch', 'source_id must match authenticated workspace', {
      extras: { field: 'source_id' },
    });
  }
  const targetId = report.target_id === '' ? null : (report.target_id?.toLowerCase() ?? null);
  return inTransaction(context.db, (unit) =>
    activity.record(unit, {
      workspaceId,
      direction: 'out',
      type: report.activity_type,
      method: report.method ?? null,
      sourceId: workspaceId,
      targetId,
      peerId: targetId === workspaceId ? null : targetId,
      summary: report.summary ?? null,
      request: report.request_body ?? report.metadata,
      response: report.response_body,
      status: report.status ?? 'ok',
      errorDetail: report.error_detail ?? null,
      durationMs: report.duration_ms ?? null,
    }),
  );
}
