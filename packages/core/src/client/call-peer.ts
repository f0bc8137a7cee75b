import { randomUUID } from 'node:crypto';
import { buildSendMessage, type JsonObject } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { TimeoutError } from '../errors/timeout-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/read-reply.ts';
import { postMessage } from '../platform-api/messages.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

const MARGIN_MS = 5_000;
const MARGIN_SHARE = 0.2;

/** Options of a message to a workspace. */
export interface CallPeerOptions extends CallOptions {
  /** The same id makes the same message, however often it is sent. @default a new UUID */
  messageId?: string | undefined;
  /** The conversation it belongs to. */
  contextId?: string | undefined;
  /** Longest wait in all, repeats included, in milliseconds; the platform holds the call a little shorter. @default `callTimeoutMs`, 30_000 */
  timeoutMs?: number | undefined;
  /** Open data of the message. */
  metadata?: JsonObject | undefined;
}

/** Sends one message through the platform and reads the answer. Repeats use the same message id (decision 10). */
export async function sendThroughProxy(
  transport: Transport,
  targetId: string,
  text: string,
  options: CallPeerOptions & { timeoutMs: number; isWrapped: boolean },
): Promise<PeerReply> {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new MoleculeError('The text of a message must not be blank.', { code: 'invalid_argument' });
  }
  const { timeoutMs, contextId, metadata, signal, isWrapped } = options;
  const messageId = options.messageId ?? randomUUID();
  const envelope = buildSendMessage({ messageId, text, contextId, metadata });
  try {
    const answer = await postMessage(transport, targetId, envelope, {
      timeoutMs,
      totalTimeoutMs: timeoutMs,
      holdSeconds: holdSecondsFor(timeoutMs),
      signal,
    });
    return readReply(answer.body, { peerId: targetId, messageId, isWrapped });
  } catch (error) {
    throw TimeoutError.isInstance(error) ? nameMessage(error, messageId) : error;
  }
}

/** How long the platform may hold a call that may take `timeoutMs`: 25 s of 30 s, at least 1 s. */
export function holdSecondsFor(timeoutMs: number): number {
  const marginMs = Math.min(MARGIN_MS, timeoutMs * MARGIN_SHARE);
  return Math.max(1, Math.floor((timeoutMs - marginMs) / 1_000));
}

function nameMessage(error: TimeoutError, messageId: string): TimeoutError {
  return new TimeoutError(error.message, {
    timeoutMs: error.timeoutMs,
    delivered: error.delivered,
    hint: `The peer may still answer: waitForAnswer('${messageId}'), or call again with this messageId.`,
    cause: error,
  });
}
