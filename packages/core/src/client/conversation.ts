import crypto from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import { markReceived } from '../peers/received-values.ts';

const ID_LENGTH = 32;

/**
 * The conversation of a message: the first 32 hex digits of SHA-256 over `[source, sourceId, contextId]` as JSON. A
 * message of the canvas without a context belongs to the default conversation, whose context is the workspace's id.
 */
export function conversationIdOf(
  message: Pick<InboundMessage, 'source' | 'sourceId' | 'contextId'>,
  workspaceId: string,
): string {
  const { source, sourceId, contextId } = message;
  const context = contextId === '' && source === 'canvas_user' ? workspaceId : contextId;
  const parts = JSON.stringify([source, sourceId, context]);
  return crypto.hash('sha256', parts).slice(0, ID_LENGTH);
}

/** The message with its conversation, where the platform did not name it. */
export function withConversation(message: InboundMessage, workspaceId: string): InboundMessage {
  const conversationId = message.conversationId || conversationIdOf(message, workspaceId);
  const whole = conversationId === message.conversationId ? message : { ...message, conversationId };
  return markReceived(whole, { kind: 'message' });
}
