import { randomUUID } from 'node:crypto';
import {
  type Attachment,
  buildSendMessage,
  dataPart,
  type InboundMessage,
  type JsonObject,
  JsonValue,
  type MessagePart,
  type NotifyRequest,
  type OwnEnd,
  routes,
  textPart,
  withOwnEnd,
} from '@molecule-ai/protocol';
import { withTraceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import { invalidArgument } from '../errors/molecule-error.ts';
import { readReply } from '../peers/peer-reply.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { requestLine } from '../platform-api/platform-api.ts';
import { argumentProblem, given, type OptionsOf, optionsSchema } from '../settings/options.ts';
import { codeOfError, replies } from '../telemetry/telemetry.ts';
import { objectOf } from '../transport/http-response.ts';
import { CallShape } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { handlerSignal, withOrigin } from './current-message.ts';
import { NOT_JSON } from './peer-calls.ts';

/** The fields of an inbound message that are needed to answer it. */
export type ReplyTarget = Pick<InboundMessage, 'id' | 'messageId' | 'contextId' | 'source' | 'peerId'>;

export class ReplyContentShape {
  /** Structured data, any JSON: a data part after the text. */
  data = given<JsonValue>();
  /** Parts after text and data. People are shown texts, and files with a `uri`; a program that asks for them gets all parts. */
  parts = given<readonly MessagePart[]>();
  /** Open data of the answer. */
  metadata = given<JsonObject>();
  text = given<string>();
}

const CONTENT = optionsSchema(new ReplyContentShape());

/** An answer with more than a text. */
export interface ReplyContent extends Omit<OptionsOf<ReplyContentShape>, 'text'> {
  /** May be blank when there are data or parts. */
  text: string;
}

export class ReplyShape extends CallShape {
  /**
   * Distinguishes several replies to one message; replies with the same key are sent once. @default one reply per
   * message, however often it is delivered
   */
  idempotencyKey = given<string>();
  /**
   * Says that the message ended without an answer, and the text why. For a message that a peer sent directly: of others the
   * platform gives their senders the end.
   */
  end = given<OwnEnd>();
}

export interface ReplyOptions extends OptionsOf<ReplyShape> {}

export interface ReplyReceipt {
  /**
   * `duplicate`: the message was already answered; the first answer is kept. `ignored`: the sender canceled the message
   * before, and does not receive the answer.
   */
  readonly status: 'sent' | 'duplicate' | 'ignored';
  /** `response`: in the response of the request that brought the message. */
  readonly via: 'notify' | 'a2a' | 'response';
  /** Derived from workspace, inbound message and key, so the same reply always has the same id. */
  readonly messageId: string;
}

/** The id of a reply to the message of a row: the same for the same key. */
export function replyIdOf(workspaceId: string, row: string, key = ''): string {
  return deriveUuid('reply', workspaceId, row, key);
}

/** Answers a user through `/notify` and a peer through `/a2a`. */
export async function replyTo(
  context: ClientContext,
  message: ReplyTarget,
  answer: string | ReplyContent,
  { idempotencyKey, end, signal = handlerSignal() }: ReplyOptions,
): Promise<ReplyReceipt> {
  const written = typeof answer === 'string' ? { text: answer } : answer;
  const problem = argumentProblem('reply', { 0: CONTENT }, [written]);
  if (problem !== null) throw invalidArgument(problem.problem, problem.hint);
  const { data, parts: others = [], ...rest } = written;
  if (data !== undefined && !JsonValue.safeParse(data).success) throw invalidArgument(NOT_JSON);
  const content: ReplyContent =
    data === undefined ? written : { ...rest, parts: [dataPart(data), ...others] };
  const hasParts = content.parts !== undefined && content.parts.length > 0;
  if (typeof content.text !== 'string' || (content.text.trim() === '' && !hasParts)) {
    throw invalidArgument('The text of a reply must not be blank.');
  }
  const isToUser = message.source === 'canvas_user';
  if (!isToUser && (message.source !== 'peer_agent' || message.peerId === '')) {
    throw invalidArgument(
      'The sender of this message is unknown, so it cannot be answered: inspect message.raw.',
    );
  }
  const { workspaceId } = context.settings;
  const messageId = replyIdOf(workspaceId, message.id, idempotencyKey);
  const via = isToUser ? 'notify' : 'a2a';
  const reply = { content, messageId, inReplyTo: message.messageId || message.id, end, signal };
  const sending = replies.start('molecule reply', () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'send',
    'messaging.message.id': messageId,
    'molecule.in_reply_to': reply.inReplyTo,
    'molecule.workspace.id': workspaceId,
    'molecule.peer.id': isToUser ? undefined : message.peerId,
  }));
  try {
    const sent = sending.run(() =>
      isToUser ? replyToUser(context, reply) : replyToPeer(context, message, reply),
    );
    const status = await sent.catch((error: unknown) => whereAnswered(context, error, messageId));
    sending.end({ 'molecule.via': via, 'molecule.status': status });
    return { status, via, messageId };
  } catch (error) {
    sending.end({ 'molecule.status': 'error' }, codeOfError(error));
    throw error;
  }
}

interface Reply extends Pick<ReplyOptions, 'end' | 'signal'> {
  readonly content: ReplyContent;
  readonly messageId: string;
  readonly inReplyTo: string;
}

/** Text parts follow the text; files become attachments; what a person is not shown goes into the metadata. */
async function replyToUser(
  context: ClientContext,
  { content, messageId, inReplyTo, signal }: Reply,
): Promise<ReplyReceipt['status']> {
  const texts = [content.text];
  const attachments: Attachment[] = [];
  const others: MessagePart[] = [];
  for (const part of content.parts ?? []) {
    if (part.kind === 'text') texts.push(part.text);
    else if (part.kind === 'file' && part.file.uri && part.file.name) {
      const { uri, name, mimeType, size } = part.file;
      attachments.push({ uri, name, mimeType, size });
    } else others.push(part);
  }
  const open = { ...content.metadata, ...(others.length === 0 ? {} : { parts: others }) } as JsonObject;
  const names = attachments.map(({ name }) => name).join(', ');
  const text = texts.filter((line) => line.trim() !== '').join('\n') || names || '(data)';
  const { isDuplicate, isIgnored } = await notifyUser(context, text, {
    attachments: attachments.length === 0 ? undefined : attachments,
    metadata: Object.keys(open).length === 0 ? undefined : open,
    idempotencyKey: messageId,
    inReplyTo,
    signal,
  });
  return isIgnored ? 'ignored' : isDuplicate ? 'duplicate' : 'sent';
}

async function replyToPeer(
  { api }: ClientContext,
  { peerId, contextId }: ReplyTarget,
  { content, messageId, inReplyTo, end, signal }: Reply,
): Promise<ReplyReceipt['status']> {
  const { text, parts = [], metadata } = content;
  const params = { id: peerId };
  const { body, status } = await api.send(routes.sendMessage, {
    params,
    body: buildSendMessage({
      messageId,
      parts: [...(text.trim() === '' ? [] : [textPart(text)]), ...parts],
      role: 'agent',
      contextId: contextId === '' ? undefined : contextId,
      metadata: { ...withOwnEnd(metadata, end), in_reply_to: inReplyTo },
    }),
    lane: 'receiving',
    timeoutMs: api.settings.messageTimeoutMs,
    // A full inbox stays full for longer: the agent tries again later, and uses no slot meanwhile.
    totalTimeoutMs: api.settings.messageTimeoutMs,
    goneWorkspaceId: peerId,
    relaysPeerText: true,
    headers: withTraceHeaders({}),
    signal,
  });
  const response = objectOf(body);
  if (response?.ignored === true) return 'ignored';
  const hasNamedState = api.capabilities.words.has('outcomes');
  const facts = { peerId, messageId, contextId, isWrapped: true, hasNamedState };
  if (readReply(body, facts).status === 'failed') {
    const line = requestLine(routes.sendMessage, { params });
    const problem = { code: 'request_rejected', status, ...line, details: response } as const;
    throw new ApiError('The peer did not accept the reply.', problem);
  }
  return response?.duplicate === true ? 'duplicate' : 'sent';
}

/** A conflict means that this reply id was used with another text: the message was already answered. */
function whereAnswered({ logger }: ClientContext, error: unknown, messageId: string): 'duplicate' {
  const code = ApiError.isInstance(error) ? error.platformCode : undefined;
  if (code !== 'message_id_conflict' && code !== 'idempotency_conflict') throw error;
  logger.warn({ messageId }, 'The message was already answered with another text.');
  return 'duplicate';
}

export class NotifyShape extends CallShape {
  /** Uploaded files. */
  attachments = given<readonly Attachment[]>();
  /** Messages with the same key are shown once. @default a new key per call */
  idempotencyKey = given<string>();
  /** Message id or activity id of the message that this text answers. */
  inReplyTo = given<string>();
  /** Open data of the message; not shown. */
  metadata = given<JsonObject>();
}

export interface NotifyOptions extends OptionsOf<NotifyShape> {}

export interface NotifyReceipt {
  /** The id of the row in the activity feed; `''` from an older platform. */
  readonly activityId: string;
  /** Whether the key was already used; then nothing new was shown. */
  readonly isDuplicate: boolean;
  /** Whether the message that it answers was canceled; then nothing was shown. */
  readonly isIgnored: boolean;
}

/** Shows a text to the user on the canvas. */
export async function notifyUser(
  { api, settings }: ClientContext,
  text: string,
  options: NotifyOptions,
): Promise<NotifyReceipt> {
  if (typeof text !== 'string' || text.trim() === '')
    throw invalidArgument('The text for the user must not be blank.');
  // An answer says which message it answers.
  const metadata = options.inReplyTo ? options.metadata : withOrigin(settings.workspaceId, options.metadata);
  const body: NotifyRequest = {
    message: text,
    idempotency_key: options.idempotencyKey ?? randomUUID(),
    attachments: options.attachments && [...options.attachments],
    in_reply_to: options.inReplyTo || undefined,
    metadata,
  };
  const signal = options.signal ?? handlerSignal();
  const params = { id: settings.workspaceId };
  const headers = withTraceHeaders({});
  const response = await api.call(routes.notify, { params, body, headers, signal });
  return {
    activityId: response.activity_id ?? '',
    isDuplicate: response.duplicate === true,
    isIgnored: response.ignored === true,
  };
}
