import { behaviours } from './behaviour.ts';

export const ENDS = behaviours({
  'ends.exactly-once': [
    'A message has exactly one end, which nothing changes afterwards.',
    'docs/contract/messages.md#message-states; docs/decisions/0029-every-message-ends.md',
  ],
  'ends.reach-the-sender': [
    'A sender learns how its message ended in its call, on its feed or by asking.',
    'docs/contract/messages.md#ends-without-an-answer; docs/contract/messages.md#push-delivery',
  ],
  'ends.list': [
    'A workspace can list the messages that it sent itself, by state and time.',
    'docs/contract/messages.md#message-states',
  ],
  'ends.unanswered': [
    'A message that its agent finishes without an answer ends as unanswered.',
    'docs/contract/messages.md#message-states; docs/contract/feed.md#acknowledgement',
  ],
  'ends.outcome-beyond-the-position': [
    'An agent reports how a single message ended without moving its acknowledged position.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'ends.accepted-stays-open': [
    'A message that its agent accepts is acknowledged at once and stays open until it ends.',
    'docs/contract/feed.md#acknowledgement; docs/contract/messages.md#message-states',
  ],
  'ends.expires': [
    'A message without an end expires at its deadline or after its time to live.',
    'docs/contract/messages.md#expiry',
  ],
  'ends.late-reply': [
    'A reply to an ended message leaves its end unchanged and reaches nobody, except after a failure.',
    'docs/contract/messages.md#answers; docs/contract/messages.md#cancellation',
  ],
  'ends.agents-hide-no-end': [
    'Answers, questions and failures are delivered whatever message id or deadline an agent writes.',
    'docs/contract/messages.md#late-answers',
  ],
  'cancel.ends-the-message': [
    'Cancelling a message ends it as canceled at once, unless it has already ended.',
    'docs/contract/messages.md#cancellation; docs/decisions/0050-cancel.md',
  ],
  'cancel.sender-or-operator-only': [
    'Only its sender and operators can read, follow or cancel a message as a task.',
    'docs/contract/messages.md#cancellation; docs/contract/messages.md#tasks',
  ],
  'cancel.queued-never-runs': [
    'A message that is canceled while it waits is never handled.',
    'docs/contract/messages.md#cancellation; docs/decisions/0050-cancel.md',
  ],
  'cancel.aborted-call': [
    'Aborting a call or a stream ends it at once and cancels its message.',
    'docs/contract/messages.md#cancellation; docs/contract/streams.md#breaks',
  ],
  'cancel.only-on-request': [
    'A closed connection, a timeout or an aborted wait cancels no message.',
    'docs/contract/messages.md#cancellation; docs/decisions/0050-cancel.md',
  ],
  'cancel.reaches-a-push-agent': [
    'A cancellation is pushed to the agent at work and never delays its messages.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.control-rows': [
    'A polling agent, also a paused one, can read which messages were canceled in the last hour.',
    'docs/contract/feed.md#control-rows; docs/contract/feed.md#paused-workspaces',
  ],
});
