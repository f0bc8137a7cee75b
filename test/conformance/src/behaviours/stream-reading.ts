import { behaviours } from './behaviour.ts';

const EVENTS = 'docs/contract/streams.md#events';
const ENDS = 'docs/contract/streams.md#ends-of-a-stream';
const BREAKS = 'docs/contract/streams.md#breaks';
const READING = 'docs/contract/streams.md#reading-with-the-client';

/** Answers that a client reads while they are made. */
export const STREAM_READING = behaviours({
  'stream-reading.direct': [
    'Where the platform gives the URL of a peer and a token for it, `streamPeer` reads the stream of the peer itself, yields its pieces and returns the reply with `via: "direct"`.',
    `${EVENTS}; docs/contract/messages.md#direct-calls`,
  ],
  'stream-reading.joined-is-the-whole': [
    'The pieces that `streamPeer` yields, joined, are the text of its reply, and that is the text which `callPeer` returns for the same answer.',
    'docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream-reading.continues': [
    'A stream that breaks off is read again with the same message and the same id, and yields only what was not yielded before.',
    BREAKS,
  ],
  'stream-reading.through-the-platform': [
    'A stream of a peer that breaks off again and again continues through the platform, with the same message id; without a token for the peer it fails with `delivered: "unknown"` and nothing is sent again.',
    `${BREAKS}; docs/decisions/0101-direct-peer-calls.md`,
  ],
  'stream-reading.platform-gone': [
    'When the platform is killed in the middle of an answer and stays away, the reader learns after about eight seconds that the message may still be answered, with its id; the answer can be read when the platform is there again.',
    `${BREAKS}; ${READING}`,
  ],
  'stream-reading.restarted': [
    'An answer that does not continue what was yielded throws `stream_restarted` with the message id, under which the whole can be read.',
    BREAKS,
  ],
  'stream-reading.silence': [
    'A stream that brings comments, empty pieces and states but no text for 5 minutes is closed, and the reply is `queued`, on each way; with `timeoutMs` that limit holds instead.',
    READING,
  ],
  'stream-reading.abort': [
    'An abort of the signal of `streamPeer` closes the connection and cancels the message where it is; leaving the loop closes it and cancels nothing.',
    `${BREAKS}; docs/decisions/0050-cancel.md`,
  ],
  'stream-reading.without-streams': [
    'Where a peer or a platform does not stream, `streamPeer` yields the whole answer as one piece, and the message is handled once.',
    READING,
  ],
  'stream-reading.answer-limits': [
    'A streamed answer of a peer over 10 MiB, or with more values or levels than are allowed, is not read on and ends as failed.',
    'docs/contract/messages.md#direct-calls; docs/contract/limits.md#bodies',
  ],
  'stream-reading.unfinished': [
    'The state of a message whose stream the reader left, or whose stream ended while it was handled, is read with `getMessage` and `waitForAnswer`.',
    ENDS,
  ],
});
