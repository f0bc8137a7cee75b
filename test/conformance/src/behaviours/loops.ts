import { behaviours } from './behaviour.ts';

/** Agents that call each other without end are stopped. */
export const LOOPS = behaviours({
  'loops.hops': [
    'The ninth message of a chain, each sent in the handling of the one before, is a 409 `loop_detected` and is not stored.',
    'docs/contract/messages.md#loops; docs/decisions/0034-loops-end.md',
  ],
  'loops.same-call-third-time': [
    'On one path the third message from one workspace to the same other one is a 409 `loop_detected`.',
    'docs/contract/messages.md#loops',
  ],
  'loops.siblings-are-no-loop': [
    'Any number of messages may be sent in the handling of one message, also to the same workspace.',
    'docs/contract/messages.md#loops',
  ],
  'loops.parent-is-believed-if-delivered': [
    'A parent that is unknown or was not sent to the caller is ignored; of several messages with its id the one with the most hops counts.',
    'docs/contract/messages.md#loops',
  ],
  'loops.claims-only-raise': [
    'What a sender says of hops and path is counted when it is more than is known, and else ignored.',
    'docs/contract/messages.md#loops',
  ],
  'loops.late-answers': [
    'A late answer continues the path of the message in whose handling its question was asked; the 501st message on one path that follows from late answers is a 409 `loop_detected`.',
    'docs/contract/messages.md#loops',
  ],
  'loops.branches-count-together': [
    'Two agents that write to each other because of every message and of every answer stop after as many messages as one path may have.',
    'docs/contract/messages.md#loops',
  ],
  'loops.repeat-is-not-counted': [
    'A repeat of a message is the same message: it is not counted again, not refused, and may name another parent, trace or deadline.',
    'docs/contract/messages.md#loops; docs/contract/messages.md#repeats',
  ],
  'loops.pair-rate': [
    'Two workspaces that name no parent may exchange 120 messages a minute; then it is a 429 `rate_limited` with `scope: "pair"` and `Retry-After`.',
    'docs/contract/messages.md#loops; docs/contract/limits.md#rates',
  ],
  'loops.one-way-is-free': [
    'A burst of messages in one direction is not limited while the other direction stays below the limit.',
    'docs/contract/limits.md#rates',
  ],
  'loops.fan-out': [
    'An agent that asks fifty, which all ask it back, which it asks again, is stopped on each of the fifty paths.',
    'docs/contract/messages.md#loops',
  ],
  'loops.answered-questions': [
    'The message with which the platform delivers the answers to questions has the path of the message that they interrupted.',
    'docs/contract/messages.md#loops; docs/decisions/0033-questions.md',
  ],
  'loops.long-conversations': [
    'Two agents may exchange 200 messages, each sent in the handling of a late answer to the one before.',
    'docs/contract/messages.md#loops',
  ],
  'agent.loops.mutual-calls-end': [
    'Two agents whose handlers call each other end by one `loop_detected`, with a sentence for a model, and the first one answers.',
    'docs/contract/messages.md#loops',
  ],
  'agent.loops.rings-end': [
    'Three agents in a ring end by one `loop_detected`, and the first one answers.',
    'docs/contract/messages.md#loops',
  ],
  'agent.loops.ping-pong-ends': [
    'Two agents that send each other messages without waiting for answers end by `loop_detected`.',
    'docs/contract/messages.md#loops',
  ],
  'agent.loops.uncaught': [
    'A handler that does not catch `loop_detected` ends its message as failed with that code, at once and without a dead letter.',
    'docs/contract/messages.md#loops; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.current-message': [
    'In everything that a handler calls, `currentMessage()` is the message that it handles; outside it is undefined.',
    'docs/decisions/0034-loops-end.md',
  ],
  'agent.calls-name-their-parent': [
    'A call to a peer in a handler names the message that is handled, and passes on its trace and its deadline.',
    'docs/contract/messages.md#loops',
  ],
  'agent.deadline': [
    'At the deadline of a message the signal of its handler aborts, calls of the handler end, and the message is finished as `expired`.',
    'docs/contract/messages.md#expiry',
  ],
  'loops.people-are-exempt': [
    'Messages of people and operators have no path and no pair rate, and replies are not counted.',
    'docs/contract/messages.md#loops',
  ],
});
