import { randomUUID } from 'node:crypto';
import {
  type Attachment,
  buildAnswer,
  isJsonObject,
  type JsonObject,
  MessagePart,
  NotifyRequest,
  routes,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { cutText } from '../activity/activity-row.ts';
import type { FeedWriter } from '../activity/feed-writer.ts';
import type { PlatformContext } from '../context.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import { workspaceNotFound } from '../directory/workspace-directory.ts';
import { HttpError, invalidField } from '../http/http-error.ts';
import { mount, parseBody } from '../http/mount.ts';
import type { MessagesService } from '../messages/messages.service.ts';
import { messageExpired } from '../messages/outcome.ts';
import { conversationIdOf } from '../messages/request.ts';

const SUMMARY_LENGTH = 80;

interface NotifyServiceOptions extends Pick<PlatformContext, 'database' | 'events' | 'workspaces'> {
  readonly feed: FeedWriter;
  readonly messages: MessagesService;
}

/** The row of the message, or of the question when that was canceled. */
interface NotifyResult {
  readonly activityId: string;
  readonly kind: 'sent' | 'repeat' | 'ignored';
}

/** Messages of agents to the people on the canvas. */
export class NotifyService {
  readonly #options: NotifyServiceOptions;

  constructor(options: NotifyServiceOptions) {
    this.#options = options;
  }

  /**
   * Stores and announces a message; one idempotency key stores one. 404 for a removed workspace. A message that answers
   * a canceled one is not shown, and 410 is what one gets that answers an expired one. 400 for the answer to a message of
   * a workspace that waits for it.
   */
  notify(workspaceId: string, request: NotifyRequest): Promise<NotifyResult> {
    const { database, events, feed, messages, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      await unit.lock?.(workspaceId);
      const workspace = await workspaces.find(workspaceId, unit.trx);
      if (workspace === undefined || workspace.status === 'removed') throw workspaceNotFound();
      const { message, attachments = [], in_reply_to: inReplyTo } = request;
      const files = fileParts(attachments);
      // The message in the form of its activity row: the text and its files.
      const body: JsonObject = { result: message, ...(files.length === 0 ? {} : { parts: files }) };
      const key = request.idempotency_key === undefined ? undefined : `notify:${request.idempotency_key}`;
      const activityId = randomUUID();
      const question =
        inReplyTo === undefined || inReplyTo === ''
          ? undefined
          : await messages.findCanvasMessage(unit, workspaceId, inReplyTo);
      if (question === undefined && inReplyTo !== undefined && inReplyTo !== '') {
        await messages.acceptance.checkNotify({ workspaceId, reference: inReplyTo }, unit.trx);
      }
      const isKnownKey = async () =>
        key !== undefined && (await feed.findByKey(workspaceId, key, unit.trx)) !== undefined;
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
      const row = await feed.recordOwn(unit, own, { isDue: question !== undefined });
      if (row === undefined) {
        const known = await feed.findByKey(workspaceId, key ?? '', unit.trx);
        if (known === undefined || !isSameNotify(known, body, inReplyTo)) {
          const text = 'idempotency_key was used before with another message';
          throw new HttpError(409, 'idempotency_conflict', text, { field: 'idempotency_key' });
        }
        return { activityId: known.id, kind: 'repeat' };
      }
      await events.append(unit, { type: 'AGENT_MESSAGE', workspaceId, activitySeq: row.seq });
      if (question !== undefined) {
        await messages.answerCanvas(unit, question, (id) => {
          const answer = buildAnswer({ id, messageId: activityId, text: message });
          const { parts: others, ...metadata } = restOfAnswer(request.metadata);
          const parts = [...answer.result.parts, ...files, ...others];
          return { ...answer, result: { ...answer.result, parts, ...metadata } } as JsonObject;
        });
      }
      return { activityId, kind: 'sent' };
    });
  }
}

/** Accepted in every state of the workspace but removed. */
export function mountNotifyRoutes(app: FastifyInstance, notify: NotifyService): void {
  mount(app, routes.notify, { body: parseNotify }, async ({ params, body }) => {
    const { activityId, kind } = await notify.notify(params.id, body);
    return {
      status: 'sent',
      activity_id: activityId,
      ...(kind === 'repeat' ? { duplicate: true as const } : {}),
      ...(kind === 'ignored' ? { ignored: true as const } : {}),
    };
  });
}

function isSameNotify(known: ActivityRowRecord, body: JsonObject, inReplyTo: string | undefined): boolean {
  const stored = JSON.parse(known.response_body ?? 'null');
  if (!isJsonObject(stored) || known.in_reply_to !== (inReplyTo ?? null)) return false;
  return JSON.stringify(stored) === JSON.stringify(body);
}

/** Parses the body of a notify; the error texts for missing fields are part of the contract. */
function parseNotify(body: unknown): NotifyRequest {
  const given = isJsonObject(body) ? body : {};
  const { message, attachments } = given;
  if (typeof message !== 'string' || message.trim() === '')
    throw invalidField('message', 'message is required');
  if (attachments !== undefined && attachments !== null) {
    if (!Array.isArray(attachments)) throw invalidField('attachments', 'attachments must be a list');
    attachments.forEach((attachment, index) => {
      const { uri, name } = isJsonObject(attachment) ? attachment : {};
      if (typeof uri === 'string' && uri !== '' && typeof name === 'string' && name !== '') return;
      throw invalidField(`attachments[${index}]`, `attachment[${index}]: uri and name are required`);
    });
  }
  return parseBody(NotifyRequest, body);
}

/** Attachments as message parts. */
function fileParts(attachments: readonly Attachment[]): JsonObject[] {
  return attachments.map(({ uri, name, mimeType, size }) => ({
    kind: 'file',
    type: 'file',
    file: {
      uri,
      name,
      ...(mimeType === undefined ? {} : { mimeType }),
      ...(size === undefined ? {} : { size }),
    },
  }));
}

/** What the answer to a message of a person has besides text and files: other parts, which the metadata names, and open data. */
function restOfAnswer(given: NotifyRequest['metadata']): {
  readonly parts: readonly JsonObject[];
  readonly metadata?: JsonObject;
} {
  const { parts: others = [], ...open } = given ?? {};
  const isNamed =
    Array.isArray(others) && others.every((part) => MessagePart.tolerant.safeParse(part).success);
  const metadata = isNamed ? open : (given ?? {});
  const rest = Object.keys(metadata).length === 0 ? {} : { metadata };
  return { parts: isNamed ? (others as JsonObject[]) : [], ...rest };
}
