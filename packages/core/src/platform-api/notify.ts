import { NotifyAnswer, type NotifyRequest } from '@molecule-ai/protocol';
import { platformPath } from '../transport/platform-path.ts';
import type { CallOptions, PlatformRequest } from '../transport/platform-request.ts';
import { readAnswer } from '../transport/read-answer.ts';
import type { Transport } from '../transport/transport.ts';

/** `POST /workspaces/:id/notify`: repeatable with an idempotency key only (wire contract 3.24, decision 12). */
export async function postNotify(
  transport: Transport,
  workspaceId: string,
  body: NotifyRequest,
  options: CallOptions = {},
): Promise<NotifyAnswer> {
  const request: PlatformRequest = {
    method: 'POST',
    path: platformPath`/workspaces/${workspaceId}/notify`,
    body,
    isRepeatable: body.idempotency_key !== undefined,
    timeoutMs: transport.settings.messageTimeoutMs,
    signal: options.signal,
  };
  return readAnswer(NotifyAnswer, await transport.send(request), request);
}
