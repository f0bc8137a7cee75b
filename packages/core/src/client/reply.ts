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

/** The part of an inbound message that an answer needs. */
export type ReplyTarget = Pick<InboundMessage, 'id' | 'messageId' | 'contextId' | 'source' | 'peerId'>;

/** Options of `reply`. */
export interface ReplyOptions extends CallOptions {
  /**
   * Tells several replies to one message apart; replies with the same key are sent once. Left out, a message gets
   * one reply, however often it is delivered.
   */
  idempotencyKey?: string | undefined;
}

/** The result of a reply. */
export interface ReplyReceipt {
  /** `duplicate`: this message had been answered before, and that answer stands. */
  readonly status: 'sent' | 'duplicate';
  readonly via: 'notify' | 'a2a';
  /** Derived from the workspace, the inbound message and the key: always the same for the same reply. */
  readonly messageId: string;
}

/** Answers a person through `/notify` and a peer through its `/a2a`. */
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
  if (message.source === 'canvas_user') return answerUser(context, { text, messageId, inReplyTo }, options);
  if (message.source !== 'peer_agent' || message.peerId === '') {
    throw refused(
      'The sender of this message is not known, so there is nobody to reply to: inspect message.raw.',
    );
  }
  return answerPeer(context, message, { text, messageId, inReplyTo }, options);
}

interface Reply {
  readonly text: string;
  readonly messageId: string;
  readonly inReplyTo: string;
}

async function answerUser(
  context: ClientContext,
  reply: Reply,
  { signal }: CallOptions,
): Promise<ReplyReceipt> {
  const { text, messageId, inReplyTo } = reply;
  try {
    const receipt = await notifyUser(context, text, { idempotencyKey: messageId, inReplyTo, signal });
    return { status: receipt.isDuplicate ? 'duplicate' : 'sent', via: 'notify', messageId };
  } catch (error) {
    return answeredBefore(context, error, { status: 'duplicate', via: 'notify', messageId });
  }
}

async function answerPeer(
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
    return answeredBefore(context, error, { status: 'duplicate', via: 'a2a', messageId });
  }
}

/** The same derived id with another text: the message had been answered before, and that answer stands. */
function answeredBefore(context: ClientContext, error: unknown, receipt: ReplyReceipt): ReplyReceipt {
  const isConflict =
    ApiError.isInstance(error) &&
    (error.platformCode === 'message_id_conflict' || error.platformCode === 'idempotency_conflict');
  if (!isConflict) throw error;
  context.logger.warn(
    { messageId: receipt.messageId },
    'The message had been answered before with another text.',
  );
  return receipt;
}

function replyRefused(status: number, peerId: string, body: unknown): ApiError {
  return new ApiError('The peer did not take the reply.', {
    code: 'request_rejected',
    status,
    ...requestLine(routes.sendMessage, { params: { id: peerId } }),
    body: JSON.stringify(body),
  });
}

function refused(message: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument' });
}

/** Options of a message to the user. */
export interface NotifyOptions extends CallOptions {
  /** Files that were uploaded before. */
  attachments?: readonly Attachment[] | undefined;
  /** The same key makes the same message, however often it is sent. @default a new one per call */
  idempotencyKey?: string | undefined;
  /** The message it answers: its message id or activity id. */
  inReplyTo?: string | undefined;
}

/** The result of a message to the user. */
export interface NotifyReceipt {
  /** The row in the activity feed; `''` from an older platform. */
  readonly activityId: string;
  /** Whether the key was used before, so that nothing new was shown. */
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
