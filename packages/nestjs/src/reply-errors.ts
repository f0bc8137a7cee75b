import { MoleculeError, type PeerReply, type PeerReplyStatus } from '@molecule-ai/core';

type Ending = readonly [code: MoleculeError['code'], happened: string, hint: string];

const FAILURES: Readonly<Partial<Record<PeerReplyStatus, Ending>>> = {
  failed: [
    'handler_failed',
    'The peer failed to handle the message.',
    'See `reply` of this error: code and text of the peer, which are untrusted.',
  ],
  canceled: [
    'cancelled_by_sender',
    'The message was cancelled before the peer had answered.',
    'Send it again, if it still matters.',
  ],
  expired: [
    'message_expired',
    'The message expired before the peer had answered.',
    'Send it again, when the peer is there.',
  ],
  queued: [
    'timed_out',
    'The peer has not answered yet.',
    'It has the message, or gets it: wait by client.waitForAnswer(reply.messageId).',
  ],
};

const QUESTION: Ending = [
  'not_supported',
  'The peer asks something before it continues.',
  'Read `reply.questions` of this error, and answer by call() with `answers`.',
];

/** A reply that is no answer. Its own words are ours; those of the peer are in `reply`. */
export class PeerReplyError extends MoleculeError {
  override readonly name: string = 'PeerReplyError';
  declare readonly reply: PeerReply;

  constructor(reply: PeerReply, [code, message, hint]: Ending) {
    super(message, { code, hint });
    // Not shown by loggers.
    Object.defineProperty(this, 'reply', { value: reply, enumerable: false });
  }
}

/** Why there is no answer, or none that is whole; `null` when there is. A peer that asks something counts as one that answered with `mayAsk`. */
export function endError(reply: PeerReply, { mayAsk = false } = {}): PeerReplyError | null {
  const ending = reply.status === 'input-required' && !mayAsk ? QUESTION : FAILURES[reply.status];
  return ending === undefined ? null : new PeerReplyError(reply, ending);
}
