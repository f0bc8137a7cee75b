import { behaviours } from './behaviour.ts';

export const LOOPS = behaviours({
  'loops.hops': [
    'The ninth message of a chain, each sent in the handling of the one before, is refused as a loop.',
    'docs/contract/messages.md#loops; docs/decisions/0034-loops-end.md',
  ],
  'loops.circles-end': [
    'A circle of messages, also of direct ones, ends at the third message from one workspace to the same other.',
    'docs/contract/messages.md#loops; docs/decisions/0034-loops-end.md',
  ],
  'loops.late-answers': [
    'Late answers may lead to at most 500 further messages after one first message.',
    'docs/contract/messages.md#loops',
  ],
  'loops.answered-questions': [
    'The loop limits also count messages that bring answers to questions.',
    'docs/contract/messages.md#loops; docs/contract/questions.md#the-end-of-the-message',
  ],
  'loops.siblings-are-no-loop': [
    'Any number of messages may be sent in the handling of one message.',
    'docs/contract/messages.md#loops',
  ],
  'loops.exempt': [
    'Repeated messages and those of people or operators never count towards the loop limits.',
    'docs/contract/messages.md#loops; docs/contract/messages.md#repeats',
  ],
  'loops.claims-only-raise': [
    'A sender cannot lower the hop count of its message by anything that it claims.',
    'docs/contract/messages.md#loops',
  ],
  'loops.pair-rate': [
    'Outside handlers, the quieter of two workspaces that exchange messages may send 120 a minute.',
    'docs/contract/messages.md#loops; docs/contract/limits.md#rates',
  ],
  'loops.uncaught': [
    'A handler that does not catch `loop_detected` fails its message at once with that code.',
    'docs/contract/messages.md#loops; docs/decisions/0031-what-a-handler-returns.md',
  ],
});
