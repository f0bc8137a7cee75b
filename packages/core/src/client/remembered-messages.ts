import type { InboundMessage } from '@molecule-ai/protocol';
import type { PeerReply } from '../peers/peer-reply.ts';

/** How many messages are remembered at least; twice as many at most. */
const CAPACITY = 1_000;

interface RememberedMessage {
  readonly peerId: string;
  /** How the call for it ended, once that was returned. */
  returned?: 'answer' | 'other end' | undefined;
}

/**
 * The messages that were sent last: to whom, and whether a call has returned how they ended. A platform that was killed before it stored
 * that the caller received an answer sends the answer again, as a message; the caller's handler must not get it.
 */
export class RememberedMessages {
  /** By message id. The older ones are dropped together. */
  #latest = new Map<string, RememberedMessage>();
  #older = new Map<string, RememberedMessage>();

  /** A message may be sent again, after a call for it has returned. */
  add(messageId: string, peerId: string): void {
    const known = this.#find(messageId);
    if (this.#latest.size >= CAPACITY) {
      this.#older = this.#latest;
      this.#latest = new Map();
    }
    this.#latest.set(messageId, { peerId, returned: known?.returned });
  }

  /** The peer that a message was sent to; `undefined` if that is not remembered. */
  peerOf(messageId: string): string | undefined {
    return this.#find(messageId)?.peerId;
  }

  /** Remembers a reply that its caller gets, unless another one follows. */
  returned({ status, peerId, messageId }: Pick<PeerReply, 'status' | 'peerId' | 'messageId'>): void {
    if (status !== 'answered' && status !== 'failed' && status !== 'expired') return;
    if (this.#find(messageId) === undefined) this.add(messageId, peerId);
    const message = this.#find(messageId);
    if (message !== undefined) message.returned = status === 'answered' ? 'answer' : 'other end';
  }

  /** Whether a message says once more what a call has returned. The answer of an agent after a failure is news. */
  hasReturned({ inReplyTo, peerId, role, metadata }: InboundMessage): boolean {
    const sent = inReplyTo === '' || role !== 'agent' ? undefined : this.#find(inReplyTo);
    if (sent?.returned === undefined || sent.peerId.toLowerCase() !== peerId.toLowerCase()) return false;
    return sent.returned === 'answer' || metadata.delivery_failed === true;
  }

  #find(messageId: string): RememberedMessage | undefined {
    return this.#latest.get(messageId) ?? this.#older.get(messageId);
  }
}
