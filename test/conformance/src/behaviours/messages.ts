import { behaviours } from './behaviour.ts';

/** Sending a message: what becomes of it, by the state of its target. */
export const MESSAGES = behaviours({
  'messages.poll.stored-before-the-answer': [
    'A message to a polling agent is a row of its feed before its sender gets the 202 with the queue keys.',
    'docs/contract/messages.md#sending; docs/contract/messages.md#held-calls',
  ],
  'messages.poll.an-hour-offline': [
    'A message to an agent that is offline for an hour is there exactly once when it polls again.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/decisions/0017-pause-and-removal.md',
  ],
  'messages.awaiting-agent.is-stored': [
    'A message to a workspace whose agent has never registered is stored, and delivered once it has.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/decisions/0017-pause-and-removal.md',
  ],
  'messages.paused.is-held': [
    'A message to a paused workspace is a 202 with held: true and is delivered after the resume.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/decisions/0017-pause-and-removal.md',
  ],
  'messages.paused.push-waits-for-resume': [
    'A paused push agent learns its status and gets no message; its messages arrive in order after resume and heartbeat.',
    'docs/contract/messages.md#delivery-by-state-of-the-target; docs/decisions/0017-pause-and-removal.md',
  ],
  'messages.removed.is-410': [
    'A message to a removed workspace is a 410.',
    'docs/contract/messages.md#delivery-by-state-of-the-target',
  ],
  'messages.unknown.is-refused': [
    'A message to an unknown workspace is a 404 for the operator and a 403 or 404 for a workspace.',
    'docs/contract/messages.md#sending',
  ],
  'messages.over-budget.is-402': [
    'A message to a workspace that spent its budget is a 402 and is not stored.',
    'docs/contract/limits.md#budget; docs/contract/messages.md#sending',
  ],
  'messages.self-is-ordinary': [
    'A message to oneself is an ordinary inbound message.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0014-activity-rows.md',
  ],
  'messages.slash-a2a': [
    'POST /a2a takes its target from header, query or metadata, and means the caller itself without one.',
    'docs/contract/messages.md#sending; docs/contract/compatibility.md#register-tutorial',
  ],
  'messages.bare-bodies': [
    'A body without the JSON-RPC frame, {method, params} or {parts}, arrives with its text.',
    'docs/contract/messages.md#sending; docs/contract/compatibility.md#request-aliases',
  ],
  'messages.parts-arrive-as-written': [
    'Complete parts, metadata and unknown keys of a message reach the agent unchanged.',
    'docs/contract/messages.md#parts',
  ],
  'messages.repaired': [
    'A missing role, kind or type of a part, and parts named content, are completed before a message is stored or pushed.',
    'docs/contract/messages.md#repairs; docs/decisions/0043-repairs.md',
  ],
  'messages.a2a-1.0.arrives-as-written': [
    'A message of A2A 1.0, by its method or its A2A-Version, is pushed as it was written.',
    'docs/contract/messages.md#repairs; docs/decisions/0043-repairs.md',
  ],
  'messages.a2a-1.0.row-has-the-usual-form': [
    'A message of A2A 1.0 is a row of the usual form, in both views.',
    'docs/contract/messages.md#repairs; docs/decisions/0043-repairs.md',
  ],
  'messages.repeat-in-another-version': [
    'The same message with another A2A-Version, or under the name of its method in 1.0, is a repeat.',
    'docs/contract/messages.md#repeats',
  ],
  'messages.headers-are-passed-on': [
    'A2A-Version, the extensions and traceparent of a sender are headers of the push.',
    'docs/contract/messages.md#repairs; docs/decisions/0043-repairs.md',
  ],
  'messages.nonsense-is-400': [
    'A body that is not a message is a 400 invalid_message and leaves no row.',
    'docs/contract/messages.md#sending; docs/decisions/0025-errors.md',
  ],
  'messages.order': [
    'An agent reads its messages in the order in which they were accepted.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'messages.survive-a-restart': [
    'Accepted messages, their order and their read position survive a restart of the platform.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'messages.dedupe.same-message': [
    'The same message id and body twice is one row, and both answers name the same queue_id.',
    'docs/contract/messages.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'messages.dedupe.answered': [
    'Repeating an answered message gives the same answer without running it again.',
    'docs/contract/messages.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'messages.dedupe.at-the-same-time': [
    'Repetitions at the same time join the first: one row, one delivery.',
    'docs/decisions/0010-message-dedupe.md',
  ],
  'messages.dedupe.other-body': [
    'The same message id with another body or target is a 409 message_id_conflict.',
    'docs/decisions/0010-message-dedupe.md',
  ],
  'messages.dedupe.per-caller': [
    'Two callers may use the same message id.',
    'docs/contract/messages.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'messages.dedupe.over-a-restart': [
    'Repetitions are recognised after a restart.',
    'docs/decisions/0010-message-dedupe.md',
  ],
  'messages.record': [
    'GET …/messages/:messageId returns state, target, context, attempts and outcome of a message the workspace sent.',
    'docs/decisions/0011-answers.md',
  ],
  'messages.record.only-the-sender': [
    'A message record is for its sender only, and an unknown message id is a 404.',
    'docs/decisions/0011-answers.md',
  ],
  'messages.inbox-full': [
    'At the ceiling of unacknowledged messages a sender gets 429 inbox_full, until some are acknowledged.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
});
