import { isJsonObject, isQueuedAnswer, type JsonValue, type MessageRecord } from '@molecule-ai/protocol';
import { PeerReply, type PeerReplyStatus } from './peer-reply.ts';

/** Reads the answer of an A2A call: an answer, an error of the peer, or "stored" (wire contract 3.19; 8, row 35). */
export function readReply(
  body: unknown,
  facts: { peerId: string; messageId: string; isWrapped: boolean },
): PeerReply {
  const raw = (body ?? null) as JsonValue;
  const isQueued = isQueuedAnswer(raw);
  const isHeld = isQueued && isJsonObject(raw) && raw.held === true;
  return new PeerReply({ ...facts, status: isQueued ? 'queued' : statusOf(raw), raw, via: 'proxy', isHeld });
}

/** Reads where a sent message stands (decision 11). */
export function readRecord(record: MessageRecord, options: { isWrapped: boolean }): PeerReply {
  const facts = { peerId: record.target_id, messageId: record.message_id, via: 'proxy' as const, ...options };
  if (record.answer !== null && record.answer !== undefined) {
    const raw = record.answer as JsonValue;
    return new PeerReply({ ...facts, status: statusOf(raw), raw });
  }
  if (record.state === 'failed') {
    const message = record.error?.error ?? 'The message failed.';
    return new PeerReply({
      ...facts,
      status: 'failed',
      raw: { error: message, code: record.error?.code ?? null },
    });
  }
  return new PeerReply({ ...facts, status: 'queued', raw: null, isHeld: record.held });
}

function statusOf(raw: JsonValue): PeerReplyStatus {
  if (!isJsonObject(raw)) return 'answered';
  const hasError = raw.error !== undefined && raw.error !== null;
  return hasError && raw.result === undefined ? 'failed' : 'answered';
}
