import { randomUUID } from 'node:crypto';
import {
  type Attachment,
  buildSendMessage,
  type InboundMessage,
  type NotifyRequest,
  routes,
} from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { readReply } from '../peers/peer-reply.ts';
import { call, requestLine, send } from '../platform-api/call.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { objectOf } from '../transport/response-body.ts';
import type { ClientContext } from './client-context.ts';

/** The fields of an inbound message that are needed to answer it. */
export type ReplyTarget = Pick<InboundMessage, 'id' | 'messageId' | 'contextId' | 'source' | 'peerId'>;

export interface ReplyOptions extends CallOptions {
  /**
   * Distinguishes several replies to one message; replies with the same key are sent once. @default one reply per
   * message, however often it is delivered
   */
  idempotencyKey?: string | undefined;
}

export interface ReplyReceipt {
  /** `duplicate`: the message was already answered; the first answer is kept. */
  readonly status: 'sent' | 'duplicate';
  readonly via: 'notify' | 'a2a';
  /** Derived from workspace, inbound message and key, so the same reply always has the same id. */
  readonly messageId: string;
}

/** Answers a user through `/notify` and a peer through `/a2a`. */
export async function replyTo(
  context: ClientContext,
  message: ReplyTarget,
  text: string,
  options: ReplyOptions,
): Promise<ReplyReceipt> {
  if (typeof text !== 'string' || text.trim() === '') {
    throw refused('The text of a reply must not be blank.');
  }
  const { settings } = context;
  const messageId = deriveUuid('reply', settings.workspaceId, message.id, options.idempotencyKey ?? '');
  const inReplyTo = message.messageId || message.id;
  if (message.source === 'canvas_user') return replyToUser(context, { text, messageId, inReplyTo }, options);
  if (message.source !== 'peer_agent' || message.peerId === '') {
    throw refused('The sender of this message is unknown, so it cannot be answered: inspect message.raw.');
  }
  return replyToPeer(context, message, { text, messageId, inReplyTo }, options);
}

interface Reply {
  readonly text: string;
  readonly messageId: string;
  readonly inReplyTo: string;
}

async function replyToUser(
  context: ClientContext,
  reply: Reply,
  { signal }: CallOptions,
): Promise<ReplyReceipt> {
  const { text, messageId, inReplyTo } = reply;
  try {
    const receipt = await notifyUser(context, text, { idempotencyKey: messageId, inReplyTo, signal });
    return { status: receipt.isDuplicate ? 'duplicate' : 'sent', via: 'notify', messageId };
  } catch (error) {
    return duplicateReceipt(context, error, { status: 'duplicate', via: 'notify', messageId });
  }
}

async function replyToPeer(
  context: ClientContext,
  { peerId, contextId }: ReplyTarget,
  { text, messageId, inReplyTo }: Reply,
  { signal }: CallOptions,
): Promise<ReplyReceipt> {
  const { transport } = context;
  const envelope = buildSendMessage({
    messageId,
    text,
    role: 'agent',
    contextId: contextId === '' ? undefined : contextId,
    metadata: { in_reply_to: inReplyTo },
  });
  try {
    const { body, status } = await send(transport, routes.sendMessage, {
      params: { id: peerId },
      body: envelope,
      timeoutMs: transport.settings.messageTimeoutMs,
      goneWorkspaceId: peerId,
      signal,
    });
    if (readReply(body, { peerId, messageId, isWrapped: true }).status === 'failed') {
      throw replyRefused(status, peerId, body);
    }
    const isDuplicate = objectOf(body)?.duplicate === true;
    return { status: isDuplicate ? 'duplicate' : 'sent', via: 'a2a', messageId };
  } catch (error) {
    return duplicateReceipt(context, error, { status: 'duplicate', via: 'a2a', messageId });
  }
}

/** A conflict means that this reply id was used with another text: the message was already answered. */
function duplicateReceipt(context: ClientContext, error: unknown, receipt: ReplyReceipt): ReplyReceipt {
  const isConflict =
    ApiError.isInstance(error) &&
    (error.platformCode === 'message_id_conflict' || error.platformCode === 'idempotency_conflict');
  if (!isConflict) throw error;
  context.logger.warn(
    { messageId: receipt.messageId },
    'The message was already answered with another text.',
  );
  return receipt;
}

function replyRefused(status: number, peerId: string, body: unknown): ApiError {
  return new ApiError('The peer did not accept the reply.', {
    code: 'request_rejected',
    status,
    ...requestLine(routes.sendMessage, { params: { id: peerId } }),
    body: JSON.stringify(body),
  });
}

function refused(message: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument' });
}

export interface NotifyOptions extends CallOptions {
  /** Uploaded files. */
  attachments?: readonly Attachment[] | undefined;
  /** Messages with the same key are shown once. @default a new key per call */
  idempotencyKey?: string | undefined;
  /** Message id or activity id of the message that this text answers. */
  inReplyTo?: string | undefined;
}

export interface NotifyReceipt {
  /** The id of the row in the activity feed; `''` from an older platform. */
  readonly activityId: string;
  /** Whether the key was already used; then nothing new was shown. */
  readonly isDuplicate: boolean;
}

/** Shows a text to the user on the canvas. */
export async function notifyUser(
  { transport, settings }: ClientContext,
  text: string,
  options: NotifyOptions,
): Promise<NotifyReceipt> {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new MoleculeError('The text for the user must not be blank.', { code: 'invalid_argument' });
  }
  const body: NotifyRequest = {
    message: text,
    idempotency_key: options.idempotencyKey ?? randomUUID(),
    ...(options.attachments === undefined ? {} : { attachments: [...options.attachments] }),
    ...(options.inReplyTo ? { in_reply_to: options.inReplyTo } : {}),
  };
  const { signal } = options;
  const params = { id: settings.workspaceId };
  const response = await call(transport, routes.notify, { params, body, signal });
  return { activityId: response.activity_id ?? '', isDuplicate: response.duplicate === true };
}
