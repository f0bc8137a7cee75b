import { behaviours } from './behaviour.ts';

export const STREAMS = behaviours({
  'stream.back-pressure': [
    'Slow readers delay the stream of an agent for a minute at most.',
    'docs/contract/streams.md#breaks; docs/contract/receiving.md#streams',
  ],
  'stream.events': [
    '`message/stream` brings an answer as server-sent events, its text while it is made.',
    'docs/contract/streams.md#events; docs/decisions/0032-streams.md',
  ],
  'stream.one-piece': [
    'Where the agent or the platform does not stream, the reader gets the whole answer as one piece.',
    'docs/contract/streams.md#events; docs/contract/streams.md#reading-with-the-client',
  ],
  'stream.repeat': [
    'A stream can be read again from its beginning, by a repeat of the message or `tasks/resubscribe`.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.killed': [
    'Readers get the whole answer after the agent or the platform was killed midway and restarted.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
    'test:processes',
  ],
  'stream.kept-whole': [
    'An answer whose stream ended early, or whose reader left, can be read whole later.',
    'docs/contract/streams.md#breaks; docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.refused': [
    'A stream that is not accepted gets the error of `message/send`, and nothing is stored.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.count': ['A workspace reads at most 100 streams at a time.', 'docs/contract/streams.md#limits'],
  'stream.keep-alive': [
    'A stream in which nothing happens has a comment every 15 s.',
    'docs/contract/streams.md#proxies-that-buffer',
  ],
  'stream.end.status': [
    'A stream ends with its message, and its last event says how the message ended.',
    'docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.end.silence': [
    'A stream ends after 5 minutes without new text, or after `timeoutMs`, while its message goes on.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/streams.md#reading-with-the-client',
  ],
  'stream.end.revoked': [
    'A stream ends at once when its agent or reader is removed, or a token of the reader is revoked.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/authentication.md#tokens',
  ],
  'stream.push.method': [
    'A message whose sender and agent both stream is pushed with `message/stream`, others with `message/send`.',
    'docs/contract/streams.md#streams-of-agents',
  ],
  'stream.push.collected': [
    'The events that an agent streams become the answer or task that it would have sent at once.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/streams.md#events',
  ],
  'stream.push.broken-off': [
    'A broken stream of an agent is tried again, and readers get only what is new or different.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/streams.md#events',
  ],
  'stream.push.silence': [
    'An agent may stream for any time, with an event at least every 5 minutes.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/limits.md#time-limits',
  ],
  'stream.progress.text': [
    'What a polling agent reports of its answer reaches readers as it comes.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.continues': [
    'Progress is accepted only where it continues what the same run reported of an open message.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream-reading.joined-is-the-whole': [
    'The pieces that `streamPeer` yields, joined, are the text that `callPeer` returns.',
    'docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream-reading.continues': [
    '`streamPeer` continues a broken stream where repeats are recognised, and yields no text twice.',
    'docs/contract/streams.md#breaks; docs/decisions/0101-direct-peer-calls.md',
  ],
  'stream-reading.restarted': [
    'An answer that does not continue what `streamPeer` yielded throws `stream_restarted`.',
    'docs/contract/streams.md#breaks',
  ],
  'stream-reading.platform-gone': [
    'A stream whose platform stays away fails after about 8 s with the message id.',
    'docs/contract/streams.md#breaks; docs/contract/streams.md#reading-with-the-client',
    'test:processes',
  ],
});
