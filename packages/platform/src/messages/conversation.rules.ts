import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type MessageView, viewMessage } from '@molecule-ai/protocol';

/**
 * Names what two parties say to each other in one context: the first 32 hexadecimal digits of the SHA-256 of
 * `[source, sourceId, contextId]` as JSON. Clients compute the same from a row that does not carry it.
 *
 * @param sourceId the workspace that wrote; null for people and operators
 */
export function conversationIdOf(sourceId: string | null, contextId: string | null): string {
  const source = sourceId === null ? 'canvas_user' : 'peer_agent';
  const name = JSON.stringify([source, sourceId ?? '', contextId ?? '']);
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}

/** The message with its context id; requests without a message stay as they are. */
export function inContext(view: MessageView, contextId: string): MessageView {
  if (view.contextId === contextId) return view;
  const { envelope, params } = view;
  if (!isJsonObject(params.message)) return view;
  return viewMessage({ ...envelope, params: { ...params, message: { ...params.message, contextId } } });
}

/** An answer with the context of its question, unless it is a task or names a context itself. */
export function answerInContext(answer: JsonObject, contextId: string | null): JsonObject {
  const result = answer.result;
  if (contextId === null || !isJsonObject(result) || !Array.isArray(result.parts)) return answer;
  const hasContext = typeof result.contextId === 'string' && result.contextId !== '';
  return hasContext ? answer : { ...answer, result: { ...result, contextId } };
}
