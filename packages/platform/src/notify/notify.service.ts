import { randomUUID } from 'node:crypto';
import { buildAnswer, isJsonObject, type JsonObject, type NotifyRequest } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import { cutText } from '../activity/text-summary.rules.ts';
import type { PlatformContext } from '../context.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import { type WorkspaceDirectory, workspaceNotFound } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import type { MessagesService } from '../messages/messages.service.ts';
import { fileParts, notifyBody } from './notify.rules.ts';

const SUMMARY_LENGTH = 80;

export interface NotifyServiceOptions extends Pick<PlatformContext, 'database' | 'events'> {
  readonly activity: ActivityService;
  readonly messages: MessagesService;
  readonly workspaces: WorkspaceDirectory;
}

/** Messages of agents to the people on the canvas. */
export class NotifyService {
  readonly #options: NotifyServiceOptions;

  constructor(options: NotifyServiceOptions) {
    this.#options = options;
  }

  /** Stores and publishes a message; a repeat of an idempotency key is not stored again. 404 for a removed workspace. */
  notify(workspaceId: string, request: NotifyRequest): Promise<{ activityId: string; isRepeat: boolean }> {
    const { activity, database, events, messages, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const workspace = await workspaces.find(workspaceId, unit.trx);
      if (workspace === undefined || workspace.status === 'removed') throw workspaceNotFound();
      const { message, attachments = [], in_reply_to: inReplyTo } = request;
      const body = notifyBody(message, attachments);
      const key = request.idempotency_key === undefined ? undefined : `notify:${request.idempotency_key}`;
      const activityId = randomUUID();
      const row = await activity.record(unit, {
        id: activityId,
        workspace_id: workspaceId,
        caller: workspaceId,
        direction: 'out',
        activity_type: 'a2a_receive',
        method: 'notify',
        source_id: null,
        target_id: workspaceId,
        in_reply_to: inReplyTo ?? null,
        summary: `Agent message: ${cutText(message, SUMMARY_LENGTH)}`,
        response_body: JSON.stringify(body),
        status: 'ok',
        idempotency_key: key ?? null,
      });
      if (row === undefined) {
        const known = await activity.findByKey(workspaceId, key ?? '', unit.trx);
        if (known === undefined || !isSameNotify(known, body, inReplyTo)) throw keyConflict();
        return { activityId: known.id, isRepeat: true };
      }
      await events.append(unit, { type: 'AGENT_MESSAGE', workspaceId, activitySeq: row.seq });
      if (inReplyTo !== undefined && inReplyTo !== '') {
        await messages.answerCanvas(unit, workspaceId, inReplyTo, (id) => {
          const answer = buildAnswer({ id, messageId: activityId, text: message });
          const parts = [...answer.result.parts, ...fileParts(attachments)];
          return { ...answer, result: { ...answer.result, parts } } as JsonObject;
        });
      }
      return { activityId, isRepeat: false };
    });
  }
}

function isSameNotify(known: ActivityRowRecord, body: JsonObject, inReplyTo: string | undefined): boolean {
  const stored = JSON.parse(known.response_body ?? 'null');
  if (!isJsonObject(stored) || known.in_reply_to !== (inReplyTo ?? null)) return false;
  return JSON.stringify(stored) === JSON.stringify(body);
}

function keyConflict(): HttpError {
  return new HttpError(409, 'idempotency_conflict', 'idempotency_key was used before with another message', {
    extras: { field: 'idempotency_key' },
  });
}
