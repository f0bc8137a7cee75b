import { behaviours } from './behaviour.ts';

/** How the handling of a message ends, and what its sender learns of it, whichever way the message came. */
export const AGENT_ENDS = behaviours({
  'agent.unanswered': [
    'A handler that returns nothing ends its message as unanswered: the held call and a later question learn it.',
    'docs/decisions/0031-what-a-handler-returns.md; docs/contract/messages.md#message-states',
  ],
  'agent.message-failure': [
    'A MessageFailure ends its message as failed at once, with its text and code; the cause is not sent.',
    'docs/decisions/0031-what-a-handler-returns.md; docs/contract/messages.md#message-states',
  ],
  'agent.failed-in-the-feed': [
    'A sender that does not wait finds a failure in its feed, as an answer to its message, with the code.',
    'docs/contract/messages.md#late-answers',
  ],
  'agent.given-up-is-failed': [
    'A message whose handler keeps failing ends as failed; its sender learns that and a code, and nothing of the error.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.end-survives-a-crash': [
    'An end that the platform did not take before the agent stopped is reported by the next run, without handling again.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.accepted-at-most-once': [
    'A message that is handled at most once is acknowledged before, stays open while it is handled, and ends after.',
    'docs/decisions/0012-delivery-guarantee.md; docs/contract/messages.md#message-states',
  ],
  'agent.answer-shapes': [
    'A text, an object with parts and metadata, and an async iterable of texts are each sent as one answer.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.invalid-answer': [
    'A value that is not an answer fails the message at once; the log names what was returned, and nothing is sent.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.no-half-answer': [
    'An agent that is stopped in the middle of a handler sends nothing of it; after the restart the whole answer.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.answer-to-an-ended-message': [
    'An answer to a message that expired, or that its sender canceled, finishes the row and reaches nobody.',
    'docs/contract/messages.md#message-states',
  ],
  'agent.conversations-in-parallel': [
    'Twenty calls to one peer at the same time are handled at the same time: each call is its own conversation.',
    'docs/contract/messages.md#delivery-guarantee',
  ],
  'agent.failing-delays-nobody': [
    'A message that keeps failing, or whose handler hangs, does not hold back later ones of the same conversation for good.',
    'docs/decisions/0018-retries.md',
  ],
  'agent.replay': [
    'A dead letter can be replayed: its answer reaches the sender as a late message, and the state stays failed.',
    'docs/contract/messages.md#late-answers; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.names-failures': [
    'A failed attempt is logged with the message id, the error, its stack and the next attempt, without text of the message; health counts dead letters and names the last failure.',
    'docs/decisions/0048-logs-by-default.md',
  ],
  'agent.names-rejections': [
    'A message that ends because a person rejected an action is logged as information, without an error.',
    'docs/decisions/0048-logs-by-default.md',
  ],
  'agent.names-a-platform-that-is-down': [
    'An agent whose platform is down at the start says so at once, with its origin and the next attempt.',
    'docs/decisions/0048-logs-by-default.md',
  ],
  'agent.large.backlog': [
    'An agent receives a backlog of messages that together are larger than its limit for a response, each once and whole.',
    'docs/decisions/0105-feed-pages.md; docs/contract/feed.md#sizes',
  ],
  'agent.large.answer-is-whole': [
    'An answer that is cut in the feed reaches the handler whole.',
    'docs/decisions/0105-feed-pages.md; docs/contract/feed.md#sizes',
  ],
  'agent.large.set-aside': [
    'A message above maxResponseBytes makes the agent degraded at once, is set aside as a dead letter and failed for its sender; later ones are handled.',
    'docs/decisions/0105-feed-pages.md',
  ],
  'client.learns-missed-ends': [
    'A restarted sender lists the messages it sent, by state and time of the last change, and asks for each answer.',
    'docs/contract/messages.md#message-states',
  ],
  'client.reads-one-conversation': [
    'The activity can be read by conversation; the id on a row is the one that the agent sees.',
    'docs/contract/feed.md#rows',
  ],
});
