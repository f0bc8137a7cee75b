import type { PeerReply } from '../peers/peer-reply.ts';
import { readRecord } from '../peers/read-reply.ts';
import { getMessageRecord } from '../platform-api/messages.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

export const DEFAULT_ANSWER_TIMEOUT_MS = 300_000;
const MAX_WAIT_SECONDS = 60;
const PAUSE_MS = 1_000;

/** Options of `waitForAnswer`. */
export interface WaitForAnswerOptions extends CallOptions {
  /** Longest wait in all, in milliseconds; 0 asks once. @default 300_000 */
  timeoutMs?: number | undefined;
}

/**
 * Asks where a message stands until it is answered or failed, or the time is up; then the reply is still `queued`.
 * The platform holds each question up to 60 s; should it not, the next one comes a second later.
 */
export async function waitForRecord(
  transport: Transport,
  callerId: string,
  messageId: string,
  options: WaitForAnswerOptions & { isWrapped: boolean },
): Promise<PeerReply> {
  const { clock } = transport.settings;
  const { signal, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS } = options;
  const endsAt = clock.monotonic() + timeoutMs;
  for (;;) {
    const askedAt = clock.monotonic();
    const remainingSeconds = Math.floor((endsAt - askedAt) / 1_000);
    const waitSeconds = Math.max(0, Math.min(MAX_WAIT_SECONDS, remainingSeconds));
    const record = await getMessageRecord(transport, callerId, messageId, { signal, waitSeconds });
    const reply = readRecord(record, { isWrapped: options.isWrapped });
    const now = clock.monotonic();
    if (reply.status !== 'queued' || now >= endsAt) return reply;
    const pauseMs = Math.min(endsAt - now, Math.max(0, PAUSE_MS - (now - askedAt)));
    if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
  }
}
