import { randomUUID } from 'node:crypto';
import { buildAnswer, isJsonObject, type JsonObject, type NotifyRequest } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import { cutText } from '../activity/text-summary.rules.ts';
import type { PlatformContext } from '../context.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import { type WorkspaceDirectory, workspaceNotFound } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import { conversationIdOf } from '../messages/conversation.rules.ts';
import type { MessagesService } from '../messages/messages.service.ts';
import { MisplacedReplies } from '../messages/misplaced-replies.ts';
import { messageExpired } from '../messages/outcome/outcome.rules.ts';
import { fileParts, notifyBody, restOfAnswer } from './notify.rules.ts';

const SUMMARY_LENGTH = 80;

export interface NotifyServiceOptions extends Pick<PlatformContext, 'database' | 'events'> {
  readonly activity: ActivityService;
  readonly messages: MessagesService;
  readonly workspaces: WorkspaceDirectory;
}

/** The row of the message, or of the question when that was canceled. */
export interface NotifyResult {
  readonly activityId: string;
  readonly kind: 'sent' | 'repeat' | 'ignored';
}

/** Messages of agents to the people on the canvas. */
export class NotifyService {
  readonly #options: NotifyServiceOptions;
  readonly #misplaced: MisplacedReplies;

  constructor(options: NotifyServiceOptions) {
    this.#options = options;
    this.#misplaced = new MisplacedReplies(options);
  }

  /**
   * Stores and announces a message; one idempotency key stores one. 404 for a removed workspace. A message that answers
   * a canceled one is not shown, and 410 is what one gets that answers an expired one. 400 for the answer to a message of
   * a workspace that waits for it.
   */
  notify(workspaceId: string, request: NotifyRequest): Promise<NotifyResult> {
    const { activity, database, events, messages, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      await unit.lock(workspaceId);
      const workspace = await workspaces.find(workspaceId, unit.trx);
      if (workspace === undefined || workspace.status === 'removed') throw workspaceNotFound();
      const { message, attachments = [], in_reply_to: inReplyTo } = request;
      const body = notifyBody(message, attachments);
      const key = request.idempotency_key === undefined ? undefined : `notify:${request.idempotency_key}`;
      const activityId = randomUUID();
      const question =
        inReplyTo === undefined || inReplyTo === ''
          ? undefined
          : await messages.findCanvasMessage(unit, workspaceId, inReplyTo);
      if (question === undefined && inReplyTo !== undefined && inReplyTo !== '') {
        await this.#misplaced.checkNotify({ workspaceId, reference: inReplyTo }, unit.trx);
      }
      const isKnownKey = async () =>
        key !== undefined && (await activity.findByKey(workspaceId, key, unit.trx)) !== undefined;
      const isOver = question?.delivery_state === 'canceled' || question?.delivery_state === 'expired';
      if (question !== undefined && isOver && !(await isKnownKey())) {
        if (question.delivery_state === 'expired') throw messageExpired(question);
        return { activityId: question.id, kind: 'ignored' };
      }
      const contextId = question?.context_id ?? workspaceId;
      const own = {
        id: activityId,
        workspace_id: workspaceId,
        caller: workspaceId,
        direction: 'out',
        activity_type: 'a2a_receive',
        method: 'notify',
        source_id: null,
        target_id: workspaceId,
        context_id: contextId,
        conversation_id: conversationIdOf(null, contextId),
        in_reply_to: inReplyTo ?? null,
        summary: `Agent message: ${cutText(message, SUMMARY_LENGTH)}`,
        response_body: JSON.stringify(body),
        status: 'ok',
        idempotency_key: key ?? null,
      };
      // An answer is due: refusing it would lose work that a person asked for.
      const row = await activity.recordOwn(unit, own, { isDue: question !== undefined });
      if (row === undefined) {
        const known = await activity.findByKey(workspaceId, key ?? '', unit.trx);
        if (known === undefined || !isSameNotify(known, body, inReplyTo)) throw keyConflict();
        return { activityId: known.id, kind: 'repeat' };
      }
      await events.append(unit, { type: 'AGENT_MESSAGE', workspaceId, activitySeq: row.seq });
      if (question !== undefined) {
        await messages.answerCanvas(unit, question, (id) => {
          const answer = buildAnswer({ id, messageId: activityId, text: message });
          const { parts: others, ...metadata } = restOfAnswer(request.metadata);
          const parts = [...answer.result.parts, ...fileParts(attachments), ...others];
          return { ...answer, result: { ...answer.result, parts, ...metadata } } as JsonObject;
        });
      }
      return { activityId, kind: 'sent' };
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
