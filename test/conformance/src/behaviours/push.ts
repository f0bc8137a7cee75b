import { behaviours } from './behaviour.ts';

/** Posting messages to an agent's own server. */
export const PUSH = behaviours({
  'push.answer-is-returned': [
    'A call to a reachable push agent is answered with what the agent answered.',
    'wire contract 3.19, 4; seed 002 step 4',
  ],
  'push.request': [
    'The agent gets the JSON-RPC request by POST at exactly its registered URL, without a credential of the caller.',
    'wire contract 3.19, 9 weakness 14; decision 9',
  ],
  'push.path-is-found': [
    'At a bare origin that answers 404 or 405, /a2a and /a2a/inbound are tried, and the found path is remembered.',
    'wire contract 8 row 23; seed 001, self-hosted agents',
  ],
  'push.row-at-receipt': [
    'The agent’s feed shows a pushed message while it is being worked on, and its answer afterwards.',
    'wire contract 4',
  ],
  'push.rpc-error-passes': [
    'A JSON-RPC error of the agent reaches the caller as it is.',
    'wire contract 3.19 and 4',
  ],
  'push.agent-error': [
    'An agent that answers 500 makes the call fail with agent_error; it is not asked again.',
    'wire contract 3.19; decision 25',
  ],
  'push.agent-html': [
    'An agent that answers HTML makes the call fail with agent_answer_invalid, marked as delivered.',
    'wire contract 3.19; decision 25',
  ],
  'push.agent-huge': [
    'An answer over 10 MiB is an error that says so, not a cut-off text.',
    'wire contract 1.6, 9 weakness 13',
  ],
  'push.agent-hangs-up': [
    'An agent that closes the connection without an answer is asked again with the same message id.',
    'wire contract 3.19, 8 row 39; decision 10',
  ],
  'push.agent-never-answers': [
    'An agent that never answers leaves its caller with a 202 at the deadline.',
    'decision 11; wire contract 4',
  ],
  'push.refused-is-kept': [
    'A message to an agent whose server is down is a 202 and is delivered, once, when the server is back.',
    'wire contract 4, 9 weakness 10',
  ],
  'push.order-after-an-outage': [
    'What piled up during an outage arrives in the order in which it was accepted.',
    'decision 12',
  ],
  'push.clock-jump': [
    'A wall clock that jumps, forward or back, neither loses nor delays what waits for its next attempt.',
    'wire contract 10.2; decision 12',
  ],
  'push.dead-letter': [
    'After five attempts a message is a dead letter: its record is failed and its sender’s feed says so.',
    'wire contract 10.2; decision 12',
  ],
  'push.offline-is-left-alone': [
    'An offline push agent is not contacted until its next heartbeat, and then gets what waited.',
    'decision 17; wire contract 4',
  ],
  'push.stop-loses-nothing': [
    'A push that a stopping platform broke off is made again after the restart.',
    'decision 12; wire contract 9 weakness 10',
  ],
});
