import type { InboundMessage } from '@molecule-ai/protocol';
import type { PeerReply } from '../peers/peer-reply.ts';
import { LatestMap } from './latest-map.ts';

/** A platform that was killed delivers at its next start what it cannot know to be received; calls made since then. */
const CAPACITY = 1_000;

/**
 * The calls that have returned how their message ended. A platform that was killed before it stored that the caller
 * received an answer sends the answer again, as a message; the caller's handler must not get it.
 */
export class ReturnedAnswers {
  /** By message id. */
  readonly #replies = new LatestMap<{ readonly peerId: string; readonly isAnswered: boolean }>(CAPACITY);

  /** Remembers a reply that its caller gets, unless another one follows. */
  add({ status, peerId, messageId }: Pick<PeerReply, 'status' | 'peerId' | 'messageId'>): void {
    if (status !== 'answered' && status !== 'failed' && status !== 'expired') return;
    this.#replies.set(messageId, { peerId: peerId.toLowerCase(), isAnswered: status === 'answered' });
  }

  /** Whether a message says once more what a call has returned. The answer of an agent after a failure is news. */
  has({ inReplyTo, peerId, role, metadata }: InboundMessage): boolean {
    const reply = inReplyTo === '' || role !== 'agent' ? undefined : this.#replies.get(inReplyTo);
    if (reply === undefined || reply.peerId !== peerId.toLowerCase()) return false;
    return reply.isAnswered || metadata.delivery_failed === true;
  }
}
