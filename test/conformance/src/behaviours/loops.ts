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
  'loops.people-are-exempt': [
    'Messages of people and operators have no path and no pair rate, and replies are not counted.',
    'docs/contract/messages.md#loops',
  ],
});
