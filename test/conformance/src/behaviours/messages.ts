import { behaviours } from './behaviour.ts';

/** Sending a message: what becomes of it, by the state of its target. */
export const MESSAGES = behaviours({
  'messages.poll.stored-before-the-answer': [
    'A message to a polling agent is a row of its feed before its sender gets the 202 with the queue keys.',
    'wire contract 4, 8 row 35; decision 11',
  ],
  'messages.poll.an-hour-offline': [
    'A message to an agent that is offline for an hour is there exactly once when it polls again.',
    'wire contract 10.3 vector 15; decision 17',
  ],
  'messages.awaiting-agent.is-stored': [
    'A message to a workspace whose agent has never registered is stored, and delivered once it has.',
    'wire contract 4; decision 17',
  ],
  'messages.paused.is-held': [
    'A message to a paused workspace is a 202 with held: true and is delivered after the resume.',
    'decision 17; wire contract 4',
  ],
  'messages.paused.push-waits-for-resume': [
    'A paused push agent is not contacted; its messages arrive in order after resume and heartbeat.',
    'decision 17; wire contract 4',
  ],
  'messages.removed.is-410': ['A message to a removed workspace is a 410.', 'wire contract 4'],
  'messages.unknown.is-refused': [
    'A message to an unknown workspace is a 404 for the operator and a 403 or 404 for a workspace.',
    'wire contract 3.19, 10.3 vector 17',
  ],
  'messages.over-budget.is-402': [
    'A message to a workspace that spent its budget is a 402 and is not stored.',
    'wire contract 3.19',
  ],
  'messages.self-is-ordinary': [
    'A message to oneself is an ordinary inbound message.',
    'decision 14; seed 001 step 5; wire contract 10.3 vector 17',
  ],
  'messages.slash-a2a': [
    'POST /a2a takes its target from header, query or metadata, and means the caller itself without one.',
    'wire contract 8 row 16; seed 001 step 5',
  ],
  'messages.bare-bodies': [
    'A body without the JSON-RPC frame, {method, params} or {parts}, arrives with its text.',
    'wire contract 3.19',
  ],
  'messages.parts-arrive-as-written': [
    'Parts, metadata and unknown keys of a message reach the agent unchanged.',
    'wire contract 8 row 24',
  ],
  'messages.nonsense-is-400': [
    'A body that is no message is a 400 invalid_message and leaves no row.',
    'wire contract 3.19; decision 25',
  ],
  'messages.order': ['An agent reads its messages in the order in which they were accepted.', 'decision 12'],
  'messages.survive-a-restart': [
    'Accepted messages, their order and their read position survive a restart of the platform.',
    'decision 12; wire contract 9 weakness 10',
  ],
  'messages.dedupe.same-message': [
    'The same message id and body twice is one row, and both answers name the same queue_id.',
    'decision 10; wire contract 10.3 vector 16',
  ],
  'messages.dedupe.answered': [
    'Repeating an answered message gives the same answer without running it again.',
    'decision 10; wire contract 8 row 39',
  ],
  'messages.dedupe.at-the-same-time': [
    'Repetitions at the same time join the first: one row, one delivery.',
    'decision 10',
  ],
  'messages.dedupe.other-body': [
    'The same message id with another body or target is a 409 message_id_conflict.',
    'decision 10',
  ],
  'messages.dedupe.per-caller': [
    'Two callers may use the same message id.',
    'decision 10; wire contract 9 weakness 41',
  ],
  'messages.dedupe.over-a-restart': ['Repetitions are recognised after a restart.', 'decision 10'],
  'messages.record': [
    'GET …/messages/:messageId tells state, target, attempts and answer of a message the workspace sent.',
    'decision 11',
  ],
  'messages.record.only-the-sender': [
    'A message record is for its sender only, and an unknown message id is a 404.',
    'decision 11',
  ],
  'messages.inbox-full': [
    'At the ceiling of unacknowledged messages a sender gets 429 inbox_full, until some are acknowledged.',
    'decision 12',
  ],
});
