import { ACTIVITY_TYPES } from './activity.ts';
import { type InboundSource, sourceOf } from './inbound-source.ts';
import { textPart } from './json-rpc.ts';
import { extractMessageText, extractParts } from './message-text.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/**
 * One message to an agent, whatever platform it came from (decision 15). What is unknown is `''`. Everything a
 * peer can choose — text, names, role, card URL, metadata — is untrusted: fence it before a model sees it.
 */
export interface InboundMessage {
  /** The row's id; `activityId` is the same. */
  readonly id: string;
  readonly activityId: string;
  /** The sender's A2A message id. */
  readonly messageId: string;
  readonly contextId: string;
  /** The message id this one answers. */
  readonly inReplyTo: string;
  /** `delegate_task`, `cancel_task`, otherwise the wire method such as `message/send`. */
  readonly method: string;
  /** The params of the call; for an answer, `params.result` is its text, markers included (decision 11). */
  readonly params: JsonObject;
  readonly parts: readonly JsonObject[];
  readonly metadata: JsonObject;
  readonly source: InboundSource;
  readonly sourceId: string;
  /** The workspace to answer, when a peer wrote. */
  readonly peerId: string;
  readonly role: 'user' | 'agent';
  readonly text: string;
  readonly peerName: string;
  readonly peerRole: string;
  readonly agentCardUrl: string;
  /** When the platform took it, RFC 3339. */
  readonly receivedAt: string;
  /** The platform's order; null when it numbers nothing. */
  readonly seq: number | null;
  /** The row itself, unchanged. */
  readonly raw: JsonObject;
}

const NOT_INBOUND: ReadonlySet<JsonValue | undefined> = new Set(
  ACTIVITY_TYPES.filter((type) => type !== 'a2a_receive'),
);

/**
 * Reads one activity row of any shape of the family. Gives null for what is not a message to this agent: no
 * object, no id, own `/notify`, outgoing and self-reported rows, other activity types. A message the agent sent
 * to itself is inbound (decision 14). `self` is the reader's workspace id, else the row's `workspace_id`.
 * Never throws on JSON. Sources: decisions 11, 14 and 15; wire contract 3.21, 3.23 and 8, rows 27 to 29.
 */
export function parseActivityRow(
  row: JsonValue,
  options: { readonly self?: string | undefined } = {},
): InboundMessage | null {
  if (!isJsonObject(row)) return null;
  const id = idText(row.id);
  if (id === '' || !isInbound(row)) return null;

  const data = objectOf(row.data);
  const call = objectOf(row.request_body);
  const callParams = objectOf(call.params);
  const message = messageOf(call, callParams);
  const ownParams = objectOf(row.params);
  const text =
    idText(data.text) || idText(data.message) || extractMessageText(call) || textOf(ownParams.result);

  const sourceId = idText(row.source_id) || idText(data.source_id);
  const self = options.self ?? idText(row.workspace_id);
  if (isSelfReport(sourceId, self, call, data)) return null;
  const source = sourceOf(row, data, sourceId);

  const metadata = { ...objectOf(callParams.metadata), ...objectOf(message.metadata) };
  const inReplyTo = idText(row.in_reply_to) || idText(metadata.in_reply_to);
  const params: JsonObject = { ...callParams, ...ownParams };
  if (inReplyTo !== '') params.result ??= text;
  const parts = extractParts(call);
  return {
    id,
    activityId: id,
    messageId: idText(row.message_id) || idText(message.messageId),
    contextId: idText(row.context_id) || idText(message.contextId) || idText(callParams.contextId),
    inReplyTo,
    method: methodOf(row, call, metadata, inReplyTo),
    params,
    parts: parts.length > 0 || text === '' ? parts : [textPart(text)],
    metadata,
    source,
    sourceId,
    peerId: source === 'peer_agent' && sourceId !== 'user' ? sourceId : '',
    role: roleOf(message.role),
    text,
    peerName: textOf(data.peer_name) || textOf(row.peer_name),
    peerRole: textOf(data.peer_role) || textOf(row.peer_role),
    agentCardUrl: textOf(data.agent_card_url) || textOf(row.agent_card_url),
    receivedAt: textOf(row.created_at) || textOf(row.ts),
    seq: typeof row.seq === 'number' && Number.isSafeInteger(row.seq) ? row.seq : null,
    raw: row,
  };
}

function isInbound(row: JsonObject): boolean {
  if (row.direction === 'out' || row.method === 'notify') return false;
  return !NOT_INBOUND.has(row.activity_type) && !NOT_INBOUND.has(row.type);
}

/** A row the agent wrote about itself (`POST …/activity`) carries no message; a message to itself does. */
function isSelfReport(sourceId: string, self: string, call: JsonObject, data: JsonObject): boolean {
  if (sourceId === '' || sourceId.toLowerCase() !== self.toLowerCase()) return false;
  if (idText(data.text) !== '' || idText(data.message) !== '') return false;
  return extractParts(call).length === 0 && !CANCELS.has(textOf(call.method));
}

const CANCELS: ReadonlySet<string> = new Set(['tasks/cancel', 'cancel_task']);

function methodOf(row: JsonObject, call: JsonObject, metadata: JsonObject, inReplyTo: string): string {
  const method = textOf(row.method) || textOf(call.method) || 'message/send';
  if (CANCELS.has(method)) return 'cancel_task';
  const delegation = idText(row.delegation_id) || idText(metadata.delegation_id);
  return delegation !== '' && inReplyTo === '' ? 'delegate_task' : method;
}

function messageOf(call: JsonObject, params: JsonObject): JsonObject {
  return [params.message, call.message].find(isJsonObject) ?? {};
}

function roleOf(role: JsonValue | undefined): 'user' | 'agent' {
  return typeof role === 'string' && /^(role_)?agent$/i.test(role) ? 'agent' : 'user';
}

/** A non-empty text, or a number other than 0 as text; `''` for everything else. */
function idText(value: JsonValue | undefined): string {
  if (typeof value === 'number') return value === 0 || !Number.isFinite(value) ? '' : String(value);
  return textOf(value);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
