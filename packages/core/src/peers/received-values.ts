import crypto from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import { processState } from '../storage/process-state.ts';

/** What a plain object is that this package made of what it received. */
export type ReceivedValue =
  | { readonly kind: 'message' | 'peer' | 'reply-data' }
  | {
      /** Something of what a peer answered: the response, a part, its data or its file. */
      readonly kind: 'reply-content';
      readonly peerId: string;
    };

const received = processState('received-values', () => new WeakMap<object, ReceivedValue>());

/** Notes what a value is. Its form does not say so: peers send data of any form. */
export function markReceived<Value>(value: Value, as: ReceivedValue): Value {
  if (typeof value === 'object' && value !== null) received.set(value, as);
  return value;
}

/**
 * What this object is: a message, a peer of `getPeers`, what `PeerReply.toData` returned, or something of what a peer answered. By its identity:
 * `undefined` for copies, for what was stored and read again, and for data of peers that has such a form.
 */
export function receivedValue(value: object): ReceivedValue | undefined {
  return received.get(value);
}

/**
 * Marks a message, with its conversation, where the platform did not name it: the first 32 hex digits of SHA-256 over
 * `[source, sourceId, contextId]` as JSON.
 */
export function receivedMessage(message: InboundMessage, workspaceId: string): InboundMessage {
  if (message.conversationId !== '') return markReceived(message, { kind: 'message' });
  const { source, sourceId, contextId } = message;
  // A message of the canvas without a context belongs to the default conversation, whose context is the workspace's id.
  const context = contextId === '' && source === 'canvas_user' ? workspaceId : contextId;
  const digest = crypto.hash('sha256', JSON.stringify([source, sourceId, context]));
  return markReceived({ ...message, conversationId: digest.slice(0, 32) }, { kind: 'message' });
}
