import { behaviours } from './behaviour.ts';

/** Every message ends for its sender, and belongs to a conversation. */
export const ENDS = behaviours({
  'ends.reported': [
    'An outcome that an agent reports ends its message: a held call gets 200 with a task, and so does who asks later.',
    'docs/contract/messages.md#ends-without-an-answer; docs/decisions/0029-every-message-ends.md',
  ],
  'ends.each-way': [
    'Whichever way an agent receives, each end of a message reaches its sender on the held call and on a later question; without a held call an answer, a failure and an expiry come on its feed.',
    'docs/contract/messages.md#message-states; docs/contract/messages.md#late-answers',
  ],
  'ends.reported-on-the-feed': [
    'A caller that does not wait gets a failure on its feed, and no row for an unanswered or canceled message.',
    'docs/contract/messages.md#late-answers',
  ],
  'ends.unanswered-by-acknowledgement': [
    'A message that is acknowledged without an answer or an outcome is unanswered, and its held caller is released.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'ends.outcome-beyond-the-position': [
    'An outcome may name a row after the acknowledged position and moves that position not at all.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'ends.accepted-stays-open': [
    'A message reported as accepted is acknowledged and open: a later answer still reaches its caller.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'ends.outcome-of-nothing': [
    'An outcome for a row that the feed does not have is reported as unknown, and one for an ended message changes nothing.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'ends.exactly-once': [
    'Whatever races, a message ends once: its caller gets one end, and everybody sees the same one for good.',
    'docs/contract/messages.md#message-states; docs/decisions/0029-every-message-ends.md',
  ],
  'ends.failure-text-is-wrapped': [
    'The sentence of an agent that failed reaches a workspace wrapped and a person bare; the platform’s own is never wrapped.',
    'docs/contract/messages.md#ends-without-an-answer',
  ],
  'ends.agents-hide-no-end': [
    'The platform delivers an answer, a question and a failure also when the agent has used the message id that the platform would give it.',
    'docs/contract/messages.md#late-answers',
  ],
  'ends.replies-have-no-deadline': [
    'A reply is delivered whatever deadline it names, also after a failure.',
    'docs/contract/messages.md#late-answers',
  ],
  'ends.late-reply': [
    'A reply to an ended message is a late message after a failure, 410 after its expiry, ignored after a cancellation, else a duplicate.',
    'docs/contract/messages.md#answers',
  ],
  'ends.expires': [
    'A message without an end expires after the time to live, queued or delivered, and its caller is notified on the held call or the feed.',
    'docs/contract/messages.md#expiry',
  ],
  'ends.deadline': [
    'metadata.deadline ends a message at its time; a past one ends it at once, and one that is not a time, or a day that the month does not have, is a 400.',
    'docs/contract/messages.md#expiry',
  ],
  'ends.expired-is-not-delivered': [
    'An expired message is neither pushed nor in the inbound feed of its agent, also when the platform was down meanwhile.',
    'docs/contract/messages.md#expiry',
  ],
  'ends.push-rpc-error': [
    'A JSON-RPC error of a push agent ends the message as failed, and its caller gets the error, wrapped for an agent.',
    'docs/contract/messages.md#push-delivery',
  ],
  'ends.push-silent-task': [
    'A completed task without a text ends the message of a push agent as unanswered; any other task is its answer.',
    'docs/contract/messages.md#push-delivery',
  ],
  'ends.list': [
    'GET …/messages lists what a workspace sent by state and time of change, the latest change first, over a restart.',
    'docs/contract/messages.md#message-states',
  ],
  'ends.nothing-on-repeat': [
    'Repeating a message that has ended gives the same end and does not deliver it again.',
    'docs/contract/messages.md#repeats',
  ],
  'conversation.context-is-given': [
    'A message without a contextId gets one: a new one for a peer, the id of the workspace for people; a given one is kept.',
    'docs/contract/messages.md#conversations; docs/decisions/0030-conversations.md',
  ],
  'conversation.answers-carry-it': [
    'Answers, late answers and failures carry the context of their question.',
    'docs/contract/messages.md#conversations',
  ],
  'conversation.id-on-rows': [
    'Rows carry conversation_id, computed from source, source id and context, and the feed can be filtered by it.',
    'docs/contract/messages.md#conversations; docs/contract/feed.md#reading-a-page',
  ],
  'capabilities.offered': [
    'Every response has X-Molecule-Capabilities, and register and heartbeat list the same words, which are those that the documentation describes.',
    'docs/contract/compatibility.md#capabilities; docs/decisions/0041-capabilities.md',
  ],
});
