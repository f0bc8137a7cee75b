import { behaviours } from './behaviour.ts';

/** Answers that are read while a handler makes them: what agents do. */
export const STREAMS_OF_AGENTS = behaviours({
  'agent.stream.push': [
    'Text that a handler streams is read while the handler runs; what it streamed and what it returned are one answer.',
    'docs/contract/streams.md#streams-of-agents; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.stream.iterable': [
    'An async iterable that a handler returns is a stream; deltas of one character are joined to the same text.',
    'docs/contract/streams.md#events; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.stream.direct': [
    'A peer with a token reads the stream from the agent itself; a repeat reads it from the beginning, also when it has ended.',
    'docs/contract/receiving.md#streams; docs/contract/receiving.md#repeats',
  ],
  'agent.stream.polling': [
    'An agent that polls reports its text while the handler runs, and all of it before it sends the answer.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'agent.stream.throws': [
    'A handler that throws after some of its text was read fails the message at once, and is not called again.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'agent.stream.text-before-a-failure': [
    'What a handler streamed directly before it throws is read before the failure, on each way of a stream; such a handler is not called again.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'agent.stream.crash': [
    'An agent that is killed after some of its text was read handles the message again: the answer is sent as a whole, and effects of once are not repeated.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'agent.stream.slow-reader': [
    'A handler waits for a reader that does not read, for 5 s in all and not while another message waits for its place; the reader gets all of the text when it reads.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.stream.behind': [
    'A peer that takes a little of the text now and then, and was behind for 5 minutes, is disconnected; the message goes on.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.stream.kept-text': [
    'The text that an agent keeps for the slow readers of one sender is at most 32 Mi characters: above, the one that has been behind for longest is disconnected.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.stream.gives-way': [
    'A handler that streams without ever waiting does not keep its agent from handling other messages and from a cancellation.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.stream.too-long': [
    'A streamed answer of more than 10 Mi characters fails its message, with the code `agent_answer_too_large` on each way.',
    'docs/contract/streams.md#breaks',
  ],
  'agent.stream.too-long-for-a-request': [
    'An agent that polls fails a message as soon as its answer is longer than a request may be, before readers get what cannot be sent; an agent with a URL sends 10 MiB.',
    'docs/contract/streams.md#breaks; docs/contract/messages.md#size-of-an-answer',
  ],
  'agent.stream.reader-comes-back': [
    'An answer over 1 MiB whose last reader has left is the response of a repeat for a minute; after that the message fails, `agent_answer_too_large`, and its sender gets a message that says so.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.stream.cancel': [
    'A message that is canceled while its answer is streamed ends as canceled; the signal of the handler fires.',
    'docs/contract/streams.md#asking-for-a-stream; docs/contract/messages.md#cancellation',
  ],
  'agent.stream.card': [
    'The card of an agent with a server says that it streams, to the platform as well, unless the card says otherwise.',
    'docs/contract/receiving.md#streams; docs/contract/streams.md#streams-of-agents',
  ],
});
