import type { InboundMessage } from '@molecule-ai/protocol';
import type { PeerReply } from '../peers/peer-reply.ts';

/** How many messages are remembered at least; twice as many at most. */
const CAPACITY = 1_000;

/**
 * The messages that were sent last: to whom, and whether a call has returned how they ended. A platform that was killed before it stored
 * that the caller received an answer sends the answer again, as a message; the caller's handler must not get it.
 */
export class RememberedMessages {
  /** By message id. The older ones are dropped together. */
  #latest = new Map<string, RememberedMessage>();
  #older = new Map<string, RememberedMessage>();

  /** @param mayBeKnown whether the message may have been sent before, with the same id */
  add(messageId: string, peerId: string, mayBeKnown: boolean): RememberedMessage {
    const known = mayBeKnown ? this.find(messageId) : undefined;
    const message = known ?? new RememberedMessage(peerId);
    if (this.#latest.size >= CAPACITY) {
      this.#older = this.#latest;
      this.#latest = new Map();
    }
    this.#latest.set(messageId, message);
    return message;
  }

  find(messageId: string): RememberedMessage | undefined {
    return this.#latest.get(messageId) ?? this.#older.get(messageId);
  }

  /** Whether a message says once more what a call has returned. The answer of an agent after a failure is news. */
  hasReturned({ inReplyTo, peerId, role, metadata }: InboundMessage): boolean {
    const sent = inReplyTo === '' || role !== 'agent' ? undefined : this.find(inReplyTo);
    if (sent === undefined || sent.peerId.toLowerCase() !== peerId.toLowerCase()) return false;
    return sent.returned === 'answer' || (sent.returned === 'other end' && metadata.delivery_failed === true);
  }
}

/** A message that was sent. */
export class RememberedMessage {
  readonly peerId: string;
  /** How the message ended, once a call has returned that. */
  returned: 'answer' | 'other end' | undefined;

  constructor(peerId: string) {
    this.peerId = peerId;
  }

  /** Call with a reply that the caller gets, unless another one follows. */
  replied({ status }: Pick<PeerReply, 'status'>): void {
    if (status === 'answered') this.returned = 'answer';
    else if (status === 'failed' || status === 'expired') this.returned = 'other end';
  }
}
