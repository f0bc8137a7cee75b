import { ACTIVITY_TYPES } from './activity.ts';
import { textPart } from './message.ts';
import { dataOfParts } from './message-text.ts';
import { expectsAnswer, type MessageView, viewMessage } from './message-view.ts';
import { idOf, isJsonObject, type JsonObject, type JsonValue, objectOf, textOf } from './open-json.ts';
import { claimedReply, withClaimedReply, withOriginal, withoutPlatformWords } from './platform-words.ts';
import { wrapA2aBoundary } from './trust-boundary/boundary.ts';

/** The kind of sender: a person on the canvas, another workspace, or unknown (which is treated as a peer). */
export type InboundSource = 'canvas_user' | 'peer_agent' | 'unknown';

/** A question that the agent asked before, and its answer. */
export interface AnsweredQuestion {
  readonly id: string;
  readonly kind: 'approval' | 'text';
  /** What was asked, as the agent wrote it; `''` when the platform does not say. It may quote others: fence it for a model. */
  readonly text: string;
  /** What was shown with the question; `null` for nothing, and when the platform does not say. */
  readonly data: JsonValue;
  /** Of an approval; `null` for an answer in words. */
  readonly decision: 'approve' | 'reject' | null;
  /** The words of the answer; `''` for a decision without words. Untrusted when `by` is `sender`. */
  readonly answer: string;
  /** Who answered, as the platform determined it: the user of the canvas, an operator, or the sender of the message. */
  readonly by: 'user' | 'operator' | 'sender';
}

/**
 * One message to an agent, in the same form for every platform and way of delivery. All fields are always there; a text that
 * is not known is `''`. Everything a sender can choose (text, parts, names, roles, card URL, ids, method, metadata) is
 * untrusted: fence it before a model sees it, with `messageForModel` of the package core.
 */
export interface InboundMessage {
  /** The id of the row in the feed; the same in every delivery of the message. Never `''`. */
  readonly id: string;
  /** The same as `id`. */
  readonly activityId: string;
  /** The A2A message id that its sender chose, untrusted and unique for that sender only; `''` when the row has none. */
  readonly messageId: string;
  /** The A2A context that its sender named, else one that the platform made; `''` when the row has none. */
  readonly contextId: string;
  /**
   * The id of the conversation that sender and context make, 32 hexadecimal digits. The package core computes it where the
   * platform does not send it, so that handlers never get `''`; `parseActivityRow` alone does not.
   */
  readonly conversationId: string;
  /** The `messageId` of the message that this one answers; `''` for a new message. */
  readonly inReplyTo: string;
  /** `delegate_task`, `cancel_task`, otherwise the wire method such as `message/send`. */
  readonly method: string;
  /** The params of the call, untrusted; for an answer, `params.result` is its text, markers included. */
  readonly params: JsonObject;
  /**
   * The A2A parts: texts, files and data, untrusted. A file is `{ kind: 'file', file: { name, mimeType, bytes, uri } }`, each field optional. A
   * text that came without parts is one text part; `[]` for an empty message.
   */
  readonly parts: readonly JsonObject[];
  /**
   * The structured data of the message: that of its only data part, untrusted; `undefined` for none, and for several, which are in `parts`.
   */
  readonly data: JsonValue | undefined;
  /** What the sender added, untrusted; keys under which the platform says who that is are not among it. `{}` for nothing. */
  readonly metadata: JsonObject;
  /** The answers to the questions that the handler returned together for an earlier message of this conversation; `[]` for every other message. */
  readonly answers: readonly AnsweredQuestion[];
  /** Who wrote: a person or an operator, another workspace, or `unknown`, which is treated as a peer. */
  readonly source: InboundSource;
  /** The workspace that wrote; `''`, or `user` on some platforms, for a person; `''` if the sender is not known. */
  readonly sourceId: string;
  /** The workspace to answer, when a peer wrote; `''` unless `source` is `peer_agent`. */
  readonly peerId: string;
  /** The A2A role that the sender set; `user` when it set none. */
  readonly role: 'user' | 'agent';
  /** False for answers and for messages in the role `agent`: the return value of a handler is not sent for them. */
  readonly expectsAnswer: boolean;
  /** The text parts, joined, untrusted; `''` when there are only files or data. In an answer of a peer it has boundary markers. */
  readonly text: string;
  /** The name of the sending workspace, untrusted; `''` for a person, a direct message, and where the platform sends none. */
  readonly peerName: string;
  /** The role of the sending workspace in its organisation; `''` where `peerName` is `''`. Untrusted. */
  readonly peerRole: string;
  /** The URL of the card of the sending workspace; `''` where `peerName` is `''`. Untrusted. */
  readonly agentCardUrl: string;
  /** When it was accepted, RFC 3339 in UTC: by the platform, or by the agent for a direct message; `''` when the row has no time. */
  readonly receivedAt: string;
  /** The position in the feed; null for a pushed or direct message, and when the platform does not number its rows. */
  readonly seq: number | null;
  /** The row itself, unchanged; for a pushed or direct message an object with the keys of a row. */
  readonly raw: JsonObject;
}

const NOT_INBOUND: ReadonlySet<JsonValue | undefined> = new Set(
  ACTIVITY_TYPES.filter((type) => type !== 'a2a_receive'),
);

const STATED_SOURCES: ReadonlyMap<string, InboundSource> = new Map([
  ['canvas_user', 'canvas_user'],
  ['user', 'canvas_user'],
  ['peer_agent', 'peer_agent'],
]);

const CANCELS: ReadonlySet<string> = new Set(['tasks/cancel', 'cancel_task']);

export interface ParseRowOptions {
  /** The reader's workspace id. @default the row's `workspace_id` */
  readonly self?: string | undefined;
  /** The platform offers `questions`, so that it removed answers from senders who may not give them. @default false, there are none */
  readonly hasCheckedAnswers?: boolean | undefined;
  /** Whether this workspace sent a message with this id directly to this peer: then a message of the peer may answer it. @default none */
  readonly hasSent?: ((messageId: string, peerId: string) => boolean) | undefined;
}

/**
 * Parses one activity row of any supported shape. Returns null for what is not a message to this agent: not an
 * object, a blank id, own `/notify`, outgoing and self-reported rows, other activity types. A message that the agent sent
 * to itself is inbound. Never throws on JSON.
 */
export function parseActivityRow(row: JsonValue, options: ParseRowOptions = {}): InboundMessage | null {
  if (!isJsonObject(row)) return null;
  const id = idOf(row.id);
  if (id.trim() === '' || !isInbound(row)) return null;

  const data = objectOf(row.data);
  const isCompact = row.request_body === undefined && Array.isArray(row.parts);
  const ownParams = isCompact ? {} : objectOf(row.params);
  const view = viewMessage(isCompact ? requestOfCompactRow(row) : row.request_body);
  const rowText = idOf(data.text) || idOf(data.message);
  const sourceId = senderOf(row, data);
  const self = options.self ?? idOf(row.workspace_id);
  if (rowText === '' && isSelfReport(view, sourceId, self)) return null;

  const source = sourceOf(row, data, sourceId);
  const claim = claimedReply(view.metadata);
  const stated = idOf(row.in_reply_to) || view.inReplyTo;
  const isTrue = claim !== '' && (stated === claim || options.hasSent?.(claim, sourceId) === true);
  const inReplyTo = isTrue ? claim : stated;
  const { role } = view;
  // As the platform wraps the answers that it knows.
  const wrapped = (written: string): string =>
    isTrue && written !== '' ? wrapA2aBoundary(written) : written;
  const parts = isTrue ? view.parts.map((part) => withText(part, wrapped)) : view.parts;
  const text = wrapped(rowText || view.text || textOf(ownParams.result));
  const metadata = withoutPlatformWords(withClaimedReply(view.metadata, isTrue), 'origin');
  const isOfPlatform = options.hasCheckedAnswers === true;
  const params: JsonObject = { ...view.params, ...ownParams };
  if (inReplyTo !== '') params.result ??= text;
  return {
    id,
    activityId: id,
    messageId: idOf(row.message_id) || view.messageId,
    contextId: idOf(row.context_id) || view.contextId,
    conversationId: idOf(row.conversation_id),
    inReplyTo,
    method: methodOf(row, view, inReplyTo),
    params,
    parts: parts.length > 0 || text === '' ? parts : [textPart(text)],
    data: dataOfParts(parts),
    metadata: isOfPlatform && !isTrue ? metadata : withOriginal(metadata, null),
    answers: isOfPlatform && inReplyTo === '' ? answersIn(view.metadata.answers) : [],
    source,
    sourceId,
    peerId: source === 'peer_agent' && sourceId !== 'user' ? sourceId : '',
    role,
    expectsAnswer: expectsAnswer({ role, inReplyTo }),
    text,
    peerName: textOf(data.peer_name) || textOf(row.peer_name),
    peerRole: textOf(data.peer_role) || textOf(row.peer_role),
    agentCardUrl: textOf(data.agent_card_url) || textOf(row.agent_card_url),
    receivedAt: textOf(row.created_at) || textOf(row.ts),
    seq: typeof row.seq === 'number' && Number.isSafeInteger(row.seq) ? row.seq : null,
    // When it is stored and read again, it still answers the message.
    raw: isTrue ? { ...row, in_reply_to: claim } : row,
  };
}

function withText(part: JsonObject, change: (text: string) => string): JsonObject {
  return typeof part.text === 'string' ? { ...part, text: change(part.text) } : part;
}

/** `data.peer_id` names the sender where a row has no `source_id`, unless the row says that a person wrote. */
function senderOf(row: JsonObject, data: JsonObject): string {
  const named = idOf(row.source_id) || idOf(data.source_id);
  return named !== '' || statedSource(row, data) === 'canvas_user' ? named : idOf(data.peer_id);
}

function answersIn(value: JsonValue | undefined): AnsweredQuestion[] {
  return (Array.isArray(value) ? value : []).flatMap((item) => {
    const { question_id: id, kind, question, data = null, decision: decided, text, by } = objectOf(item);
    if (typeof id !== 'string' || id === '') return [];
    const decision = decided === 'approve' || decided === 'reject' ? decided : null;
    return {
      id,
      kind: kind === 'approval' || decision !== null ? 'approval' : 'text',
      text: textOf(question),
      data,
      decision,
      answer: textOf(text),
      by: by === 'user' || by === 'operator' ? by : 'sender',
    };
  });
}

/** The call that a row of the compact view stands for. */
function requestOfCompactRow({ method, params, parts, metadata, ...row }: JsonObject): JsonObject {
  const rest = objectOf(params);
  if ('message' in rest && !isJsonObject(rest.message)) {
    // What a task has under this name is its own, and no message of A2A.
    return { method: method ?? '', params: { ...rest, metadata: objectOf(metadata) } };
  }
  const message = { role: 'user', ...objectOf(rest.message), parts: parts ?? [] } as JsonObject;
  if (idOf(row.message_id) !== '') message.messageId = idOf(row.message_id);
  if (idOf(row.context_id) !== '') message.contextId = idOf(row.context_id);
  if (Object.keys(objectOf(metadata)).length > 0) message.metadata = objectOf(metadata);
  return { method: method ?? '', params: { ...rest, message } };
}

function isInbound(row: JsonObject): boolean {
  if (row.direction === 'out' || row.method === 'notify') return false;
  return !NOT_INBOUND.has(row.activity_type) && !NOT_INBOUND.has(row.type);
}

/** A row the agent wrote about itself (`POST …/activity`) carries no message; a message to itself does. */
function isSelfReport(view: MessageView, sourceId: string, self: string): boolean {
  if (sourceId === '' || sourceId.toLowerCase() !== self.toLowerCase()) return false;
  return view.parts.length === 0 && !CANCELS.has(view.method);
}

function methodOf(row: JsonObject, view: MessageView, inReplyTo: string): string {
  const method = textOf(row.method) || view.method || 'message/send';
  if (CANCELS.has(method)) return 'cancel_task';
  const isDelegated = (idOf(row.delegation_id) || view.delegationId) !== '';
  return isDelegated && inReplyTo === '' ? 'delegate_task' : method;
}

/**
 * The sender of a row. A stated source has priority: `data.source`, `source`, then `data.kind`; an unknown word
 * means `unknown`. Otherwise the id decides: the id `user` and a null `source_id` are the canvas, any other id a peer.
 */
function sourceOf(row: JsonObject, data: JsonObject, sourceId: string): InboundSource {
  const stated = statedSource(row, data);
  if (stated !== undefined) return stated;
  if (sourceId === 'user') return 'canvas_user';
  if (sourceId !== '') return 'peer_agent';
  return row.source_id === null ? 'canvas_user' : 'unknown';
}

function statedSource(row: JsonObject, data: JsonObject): InboundSource | undefined {
  const stated = [data.source, row.source, data.kind].map(textOf).find((word) => word !== '');
  return stated === undefined ? undefined : (STATED_SOURCES.get(stated) ?? 'unknown');
}
