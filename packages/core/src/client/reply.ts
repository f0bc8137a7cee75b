import { buildSendMessage, type InboundMessage, isJsonObject, type JsonValue } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { readReply } from '../peers/read-reply.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { postMessage } from '../platform-api/messages.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { notifyUser } from './notify-user.ts';

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

/** What became of a reply. */
export interface ReplyReceipt {
  /** `duplicate`: this message had been answered before, and that answer stands. */
  readonly status: 'sent' | 'duplicate';
  readonly via: 'notify' | 'a2a';
  /** Derived from the workspace, the inbound message and the key: always the same for the same reply. */
  readonly messageId: string;
}

/** Answers a person through `/notify` and a peer through its `/a2a` (seed 003, decisions 11 and 12). */
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
  const timeoutMs = transport.settings.messageTimeoutMs;
  try {
    const { body, status } = await postMessage(transport, peerId, envelope, { timeoutMs, signal });
    if (readReply(body, { peerId, messageId, isWrapped: true }).status === 'failed')
      throw notTaken(status, peerId, body);
    const isDuplicate = isJsonObject(body as JsonValue) && Reflect.get(body as object, 'duplicate') === true;
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

function notTaken(status: number, peerId: string, body: unknown): ApiError {
  return new ApiError('The peer did not take the reply.', {
    code: 'request_rejected',
    status,
    method: 'POST',
    path: `/workspaces/${peerId}/a2a`,
    body: JSON.stringify(body),
  });
}

function refused(message: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument' });
}
