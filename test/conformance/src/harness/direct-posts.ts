import { buildSendMessage, type JsonObject } from '@molecule-ai/protocol';
import { textAt } from './http.ts';
import type { Member } from './members.ts';

export interface DirectPostOptions {
  /** @default `message/send` */
  readonly method?: string;
  readonly text?: string;
  readonly metadata?: JsonObject;
  /** @default 10 */
  readonly holdSeconds?: number;
}

/** Posts to the server of an agent with the peer token that the platform gives `from`. */
export async function directPosts(
  from: Member,
  agent: { readonly id: string; readonly url: string },
): Promise<(messageId: string, options?: DirectPostOptions) => Promise<{ status: number; body: unknown }>> {
  const { body } = await from.caller.get(`/registry/discover/${agent.id}`);
  const authorization = `Bearer ${textAt(body, 'peer_token')}`;
  return async (messageId, { method, text = `text of ${messageId}`, metadata, holdSeconds = 10 } = {}) => {
    const contextId = `context of ${messageId}`;
    const envelope = buildSendMessage({
      messageId,
      text,
      contextId,
      ...(metadata === undefined ? {} : { metadata }),
    });
    const response = await fetch(agent.url, {
      method: 'POST',
      headers: { authorization, 'x-timeout': String(holdSeconds) },
      body: JSON.stringify({ ...envelope, ...(method === undefined ? {} : { method }) }),
    });
    return { status: response.status, body: await response.json() };
  };
}
