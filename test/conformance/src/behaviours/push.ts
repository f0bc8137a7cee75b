import { behaviours } from './behaviour.ts';

/** Posting messages to an agent's own server. */
export const PUSH = behaviours({
  'push.answer-is-returned': [
    'A call to a reachable push agent is answered with what the agent answered.',
    'docs/contract/messages.md#push-delivery; docs/contract/compatibility.md#external-agents-page',
  ],
  'push.request': [
    'The agent gets the JSON-RPC request by POST at exactly its registered URL, without a credential of the caller.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0009-peer-tokens.md',
  ],
  'push.path-is-found': [
    'At a bare origin that answers 404 or 405, /a2a and /a2a/inbound are tried, and the found path is remembered.',
    'docs/contract/messages.md#push-delivery; docs/contract/compatibility.md#register-tutorial',
  ],
  'push.row-at-receipt': [
    'The agent’s feed shows a pushed message while it is being worked on, and its answer afterwards.',
    'docs/contract/messages.md#push-delivery',
  ],
  'push.rpc-error-passes': [
    'A JSON-RPC error of the agent reaches the caller as it is.',
    'docs/contract/messages.md#push-delivery',
  ],
  'push.agent-error': [
    'An agent that answers 500 makes the call fail with agent_error; it is not asked again.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0025-errors.md',
  ],
  'push.not-accepting': [
    'A push that the agent answers with 503 not_accepting stays queued, costs no attempt, and is tried again when the agent asks.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0103-push-server.md',
  ],
  'push.rate-limited': [
    'A push that the agent answers with 429 and rate_limited or Retry-After stays queued and costs no attempt.',
    'docs/contract/messages.md#push-delivery; docs/contract/receiving.md#places-for-requests',
  ],
  'push.agent-html': [
    'An agent that answers HTML makes the call fail with agent_answer_invalid, marked as delivered.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0025-errors.md',
  ],
  'push.agent-huge': [
    'An answer over 10 MiB is an error that says so, not a cut-off text.',
    'docs/contract/messages.md#push-delivery; docs/contract/limits.md#bodies',
  ],
  'push.agent-hangs-up': [
    'An agent that closes the connection without an answer is asked again with the same message id.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0010-message-dedupe.md',
  ],
  'push.agent-never-answers': [
    'An agent that never answers leaves its caller with a 202 at the deadline.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0011-answers.md',
  ],
  'push.half-open': [
    'A connection that takes nothing and sends nothing, new or used before, ends the attempt in time and delays no other agent; the message is pushed again and answered once.',
    'docs/contract/messages.md#push-delivery; docs/contract/limits.md#time-limits',
  ],
  'push.waiting-outlasts-attempts': [
    'A request that waits for the outcome of a message is not ended by an attempt that fails; the call that brought the message is.',
    'docs/contract/messages.md#message-states; docs/contract/messages.md#push-delivery',
  ],
  'push.answers-in-turn': [
    'Answers that are being read use limited memory in all and of one workspace: large ones beyond it wait, small ones and those of other agents do not, and each is read whole.',
    'docs/contract/limits.md#bodies',
  ],
  'push.large-answer-in-time': [
    'An answer of more than 64 KiB that does not end within a minute, and a second more for each 256 KiB, ends the attempt.',
    'docs/contract/limits.md#time-limits; docs/contract/messages.md#push-delivery',
  ],
  'push.slow-answer': [
    'A response that stops in the middle, or comes byte by byte, ends the attempt in time; the message is pushed again with the same id.',
    'docs/contract/messages.md#push-delivery; docs/contract/limits.md#time-limits',
  ],
  'push.broken-response': [
    'An agent whose response breaks the rules of HTTP may have handled the message: the error says `delivered: "unknown"`.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0025-errors.md',
  ],
  'push.no-redirect': [
    'A redirect of an agent, also to a private address, is not followed: the message fails, and the error does not name the address.',
    'docs/contract/messages.md#push-delivery; docs/contract/presence.md#agent-addresses',
  ],
  'push.tls': [
    'An agent whose certificate is not trusted, or that is called by the wrong scheme, gets no request; the message waits and is pushed to the right URL.',
    'docs/contract/messages.md#push-delivery',
  ],
  'push.names-that-change': [
    'A name that at times does not resolve, or resolves to a refused address, gets no connection then; the message waits and is pushed when the name is right.',
    'docs/contract/messages.md#push-delivery; docs/contract/presence.md#agent-addresses',
  ],
  'push.refused-is-kept': [
    'A message to an agent whose server is down is a 202 and is delivered, once, when the server is back.',
    'docs/contract/messages.md#push-delivery',
  ],
  'push.last-error': [
    'While a message waits for its next push, its record and the list of sent messages say why the last one failed, without words of the agent.',
    'docs/contract/messages.md#message-states; docs/contract/messages.md#push-delivery',
  ],
  'push.order-after-an-outage': [
    'What piled up during an outage arrives in the order in which it was accepted.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'push.clock-jump': [
    'A wall clock that jumps, forward or back, neither loses nor delays what waits for its next attempt.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
  'push.clock-jump-in-flight': [
    'A push that is under way while the wall clock jumps is not repeated.',
    'docs/contract/messages.md#push-delivery',
  ],
  'push.dead-letter': [
    'After five attempts a message is a dead letter: its record is failed and its sender’s feed says so.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
  'push.offline-is-left-alone': [
    'An offline push agent is not contacted until its next heartbeat, and then gets what waited.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0017-pause-and-removal.md',
  ],
  'push.stop-loses-nothing': [
    'A push that a stopping platform broke off is made again after the restart.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
});
