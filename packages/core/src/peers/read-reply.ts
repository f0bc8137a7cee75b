import {
  extractAnswerText,
  extractParts,
  isJsonObject,
  isMessageState,
  isQueuedResponse,
  type JsonObject,
  type JsonValue,
  type MessageRecord,
  type MessageState,
  messageStateOfTask,
} from '@molecule-ai/protocol';
import { createReply, type PeerReply, type PeerReplyStatus } from './peer-reply.ts';

/** A code is a word for programs. A peer can write anything there, and a model may see it. */
const CODE = /^[a-z\d][\w.-]{0,63}$/i;

const STATUS_OF: { readonly [State in MessageState]: PeerReplyStatus } = {
  queued: 'queued',
  delivered: 'queued',
  input_required: 'input-required',
  answered: 'answered',
  unanswered: 'unanswered',
  failed: 'failed',
  canceled: 'canceled',
  expired: 'expired',
};

/** The message that a response belongs to, and how the response came. */
export interface ReplyFacts {
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId?: string | undefined;
  readonly isWrapped: boolean;
  /** @default 'proxy' */
  readonly via?: PeerReply['via'] | undefined;
  /**
   * Whether `metadata` of a task is of who says how the message ended: a platform takes the state and the code out of the
   * tasks of agents; a peer speaks for itself. @default for direct replies only
   */
  readonly hasNamedState?: boolean | undefined;
}

/** Reads the response to an A2A call: an answer, the task of another end, an error, or queued. */
export function readReply(body: unknown, facts: ReplyFacts): PeerReply {
  const { via = 'proxy', hasNamedState = via === 'direct', ...rest } = facts;
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedResponse(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  const contextId = facts.contextId || contextIn(raw);
  const status = isQueued ? 'queued' : statusOf(raw, via, hasNamedState);
  const code = codeOf(raw, hasNamedState);
  return createReply({ ...rest, contextId, status, code, raw, via, isHeld });
}

/** Reads the state of a sent message. */
export function readMessageRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
  const raw = (record.answer ?? null) as JsonValue;
  const status = isMessageState(record.state) ? STATUS_OF[record.state] : null;
  // The task of any other end than an answer is the platform's.
  const isEnd = status !== null && status !== 'queued' && status !== 'answered';
  const fields = {
    peerId: record.target_id,
    messageId: record.message_id,
    contextId: record.context_id || contextIn(raw),
    code: codeOf(raw, isEnd) ?? record.error?.code ?? null,
    via: 'proxy' as const,
    ...options,
  };
  if (raw !== null) {
    return createReply({ ...fields, status: isEnd ? status : statusOf(raw, 'proxy', false), raw });
  }
  if (status === 'failed' || status === 'expired') {
    const error = record.error?.error ?? `The message ${status === 'failed' ? 'failed' : 'expired'}.`;
    return createReply({ ...fields, status, raw: { error, code: record.error?.code ?? null } });
  }
  return createReply({ ...fields, status: status ?? 'queued', raw, isHeld: record.held });
}

/**
 * A task names its state. What the platform passes on from a peer that does not is an answer, because the platform has ended the
 * message; a task that came directly shows where its message is.
 */
function statusOf(raw: JsonValue, via: PeerReply['via'], hasNamedState: boolean): PeerReplyStatus {
  if (!isJsonObject(raw)) return 'answered';
  if (raw.error !== undefined && raw.error !== null && raw.result === undefined) return 'failed';
  const task = taskIn(raw);
  if (task === undefined) return 'answered';
  const named = hasNamedState && isJsonObject(task.metadata) ? task.metadata.state : undefined;
  if (isMessageState(named)) return STATUS_OF[named];
  const state = messageStateOfTask({ status: task.status ?? null });
  if (state === null) return 'answered';
  if (via === 'proxy') return STATUS_OF[state] === 'queued' ? 'answered' : STATUS_OF[state];
  const isEmpty = state === 'answered' && extractAnswerText(raw) === '' && extractParts(raw).length === 0;
  return isEmpty ? 'unanswered' : STATUS_OF[state];
}

function taskIn(raw: JsonObject): JsonObject | undefined {
  const { result } = raw;
  if (!isJsonObject(result)) return undefined;
  const task = isJsonObject(result.task) ? result.task : result;
  return task.kind === 'task' || task !== result || isJsonObject(task.status) ? task : undefined;
}

function contextIn(raw: JsonValue): string {
  const result = isJsonObject(raw) ? raw.result : undefined;
  if (!isJsonObject(result)) return '';
  const inner = [result, result.task, result.message].find(
    (place) => isJsonObject(place) && typeof place.contextId === 'string',
  );
  return isJsonObject(inner) && typeof inner.contextId === 'string' ? inner.contextId : '';
}

function codeOf(raw: JsonValue, hasNamedState: boolean): string | null {
  if (!isJsonObject(raw)) return null;
  const metadata = hasNamedState ? taskIn(raw)?.metadata : undefined;
  const data = isJsonObject(raw.error) ? raw.error.data : undefined;
  const named = isJsonObject(data) ? data.code : raw.code;
  const code = isJsonObject(metadata) ? metadata.code : named;
  return typeof code === 'string' && CODE.test(code) ? code : null;
}
