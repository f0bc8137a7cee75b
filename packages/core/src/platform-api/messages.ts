import { MessageRecord, type SendMessageRequest } from '@molecule-ai/protocol';
import { platformPath, queryOf } from '../transport/platform-path.ts';
import type { CallOptions, PlatformAnswer, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import type { Transport } from '../transport/transport.ts';

/** Options of {@link postMessage}. */
export interface PostMessageOptions extends CallOptions {
  /** Longest wait for one attempt, in milliseconds. */
  timeoutMs: number;
  /** Longest wait for all attempts, in milliseconds. */
  totalTimeoutMs?: number | undefined;
  /** How long the platform may hold the call for an answer, in whole seconds. */
  holdSeconds?: number | undefined;
}

/**
 * `POST /workspaces/:target/a2a`: the answer as it came, 200 or 202 (wire contract 3.19). Repeatable, because the
 * platform and current agents keep one message per (caller, messageId).
 */
export function postMessage(
  transport: Transport,
  targetId: string,
  envelope: SendMessageRequest,
  options: PostMessageOptions,
): Promise<PlatformAnswer> {
  return transport.send({
    method: 'POST',
    path: platformPath`/workspaces/${targetId}/a2a`,
    body: envelope,
    isRepeatable: true,
    timeoutMs: options.timeoutMs,
    totalTimeoutMs: options.totalTimeoutMs,
    holdSeconds: options.holdSeconds,
    signal: options.signal,
    goneWorkspaceId: targetId,
  });
}

/** `GET /workspaces/:caller/messages/:messageId?wait=N`: where a sent message stands (decision 11). */
export async function getMessageRecord(
  transport: Transport,
  callerId: string,
  messageId: string,
  options: CallOptions & { waitSeconds?: number | undefined } = {},
): Promise<MessageRecord> {
  const waitSeconds = options.waitSeconds ?? 0;
  const request: PlatformRequest = {
    method: 'GET',
    path: platformPath`/workspaces/${callerId}/messages/${messageId}`,
    query: waitSeconds > 0 ? queryOf({ wait: waitSeconds }) : '',
    isRepeatable: true,
    timeoutMs: transport.settings.messageTimeoutMs + waitSeconds * 1_000,
    signal: options.signal,
  };
  return readAnswer(MessageRecord, await transport.send(request), request);
}
