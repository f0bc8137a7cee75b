import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';

/** Why a handler's signal aborted when its sender took the message back. */
export function cancelledBySender(): MoleculeError {
  return new MoleculeError('The sender cancelled this message.', { code: 'cancelled_by_sender' });
}

/** True when a cancellation row means this message: it names one of its ids and comes from whom it came from. */
export function isCancellationOf(cancellation: InboundMessage, message: InboundMessage): boolean {
  const isSameSender =
    cancellation.source === message.source &&
    cancellation.sourceId.toLowerCase() === message.sourceId.toLowerCase();
  if (!isSameSender && cancellation.source !== 'canvas_user') return false;
  const named = new Set(
    [
      cancellation.params.id,
      cancellation.params.task_id,
      cancellation.params.taskId,
      cancellation.metadata.delegation_id,
      cancellation.raw.delegation_id,
      cancellation.inReplyTo,
    ].filter(isId),
  );
  return [message.id, message.messageId, message.metadata.delegation_id, message.raw.delegation_id]
    .filter(isId)
    .some((id) => named.has(id));
}

function isId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
