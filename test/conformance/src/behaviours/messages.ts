import { behaviours } from './behaviour.ts';

export const MESSAGES = behaviours({
  'messages.stored-before-the-answer': [
    'A message is stored before its sender gets the response.',
    'docs/contract/messages.md#sending',
  ],
  'messages.slash-a2a': [
    'POST /a2a takes its target from header, query or metadata, and by default is the caller itself.',
    'docs/contract/messages.md#sending; docs/contract/compatibility.md#register-tutorial',
  ],
  'messages.self-is-ordinary': [
    'A message of an agent to itself is delivered like any other.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0014-activity-rows.md',
  ],
  'messages.completed': [
    'A message without the JSON-RPC frame, a role or the kinds of its parts is completed.',
    'docs/contract/messages.md#sending; docs/contract/messages.md#repairs',
  ],
  'messages.read-as-sent': [
    'Messages, answers, notifications, cards and reports are read back character by character as sent.',
    'docs/contract/messages.md#parts; docs/contract/limits.md#plain-text',
  ],
  'messages.a2a-1.0': [
    'A message of A2A 1.0 is pushed as written, and read from the feed in the form of 0.3.',
    'docs/contract/messages.md#repairs; docs/decisions/0043-repairs.md',
  ],
  'messages.dedupe.same-message': [
    'A message that is sent again with the same id is handled once and gets the same answer.',
    'docs/contract/messages.md#repeats; docs/contract/receiving.md#repeats',
  ],
  'messages.dedupe.other-body': [
    'A caller that uses a message id again for another message gets a 409.',
    'docs/contract/messages.md#repeats; docs/contract/receiving.md#repeats',
  ],
  'messages.record': [
    'A sender, and no other agent, can read or await the state and outcome of its message.',
    'docs/decisions/0011-answers.md; docs/contract/messages.md#message-states',
  ],
  'messages.order': [
    'An agent reads its messages in the order of acceptance, each once.',
    'docs/contract/feed.md#cursor; docs/decisions/0012-delivery-guarantee.md',
  ],
  'messages.wait-for-the-agent': [
    'Messages to an agent that is away or not ready wait, and arrive once and in order.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/contract/receiving.md#accepting',
  ],
  'messages.paused.is-held': [
    'Messages to a paused workspace are hidden from its agent and delivered in order after the resume.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/contract/feed.md#paused-workspaces',
  ],
  'messages.survive-a-restart': [
    'A restart of the platform loses no accepted message.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'conversation.context-is-given': [
    'Every message has a contextId, which its answers and failures carry.',
    'docs/contract/messages.md#conversations; docs/decisions/0030-conversations.md',
  ],
  'conversation.id-on-rows': [
    'Every message on the feed has a conversation_id, by which the feed can be filtered.',
    'docs/contract/messages.md#conversations; docs/contract/feed.md#rows',
  ],
  'history.conversation': [
    'The history of a conversation has each message and each answer once, oldest first.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.in-a-handler': [
    'In a handler the history ends before the message that is handled.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.in-a-handler-ends': [
    'Reading the history in a handler stops when its message ends or a given signal aborts.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.own': [
    'A history has only entries of its own conversation and its own workspace.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.hostile': [
    'Nothing that a peer sends is in a history as words of the agent or of a person.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.direct': [
    'Messages that peers send each other directly are in no history.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'notify.reaches-the-history': [
    'A notification to people is kept whole in the history and is no message to the agent.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/limits.md#fields',
  ],
  'notify.idempotency-key': [
    'A notification repeated with its idempotency key is shown once.',
    'docs/contract/messages.md#messages-to-the-user',
  ],
  'delivery-mode.one-way-only': [
    'After a switch between push and polling, each waiting message is delivered by one way only.',
    'docs/contract/presence.md#delivery-mode; docs/contract/messages.md#delivery-guarantee',
  ],
  'polling-clients.backlog': [
    'The channel bridge handles a backlog of 150 messages once and in order, the Python SDK the newest 100.',
    'docs/contract/feed.md#order; docs/decisions/0046-cold-start-in-order.md',
  ],
  'polling-clients.replies-are-not-held': [
    'Between clients that never acknowledge, a reply gets its 202 at once.',
    'docs/contract/messages.md#held-calls; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
  'durability.stop-is-clean': [
    'A platform that is asked to stop exits with code 0.',
    'docs/contract/limits.md#time-limits; docs/decisions/0012-delivery-guarantee.md',
    'test:processes',
  ],
  'durability.kill-loses-nothing': [
    'A platform that is killed loses no message and no answer that it accepted.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
    'test:processes',
  ],
  'durability.killed-at-each-point': [
    'Each message is handled once and its answer returned once, whenever the platform is killed.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
    'test:processes',
  ],
  'durability.both-killed': [
    'What a handler did in `once` is not repeated after agent and platform are killed.',
    'docs/contract/messages.md#delivery-guarantee; docs/contract/receiving.md#accepting',
    'test:processes',
  ],
  'durability.data-is-private': [
    'The files of a platform can be read by their owner only.',
    'docs/decisions/0028-private-files.md',
    'test:processes',
  ],
  'endurance.one-end': [
    'However often agents or the platform are killed, each accepted message has one end that its sender learns.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0029-every-message-ends.md',
    'test:processes',
  ],
});
