import { routes } from '@molecule-ai/protocol';
import { send } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** Sends a message of a workspace to itself. It may be repeated. */
export async function sendInboundProbe(
  { transport, settings }: Pick<ClientContext, 'transport' | 'settings'>,
  messageId: string,
  { signal }: CallOptions,
): Promise<void> {
  const parts = [{ kind: 'text', type: 'text', text: 'Inbound probe' }];
  const message = { kind: 'message', role: 'user', messageId, contextId: messageId, parts };
  await send(transport, routes.sendMessage, {
    params: { id: settings.workspaceId },
    body: { jsonrpc: '2.0', id: messageId, method: 'message/send', params: { message } },
    timeoutMs: settings.requestTimeoutMs,
    holdSeconds: 0,
    isRepeatable: true,
    signal,
  });
}
