import { behaviours } from './behaviour.ts';

/** What survives a platform that is killed, and what lies on its disk. */
export const DURABILITY = behaviours({
  'durability.accepted-survives-a-kill': [
    'A message answered with 202 is there after the platform was killed, in order and once.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.answers-survive-a-kill': [
    'An answer that was accepted reaches its caller although the platform was killed right after.',
    'docs/decisions/0011-answers.md; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.pushes-survive-a-kill': [
    'A push that was under way when the platform was killed is made again, at once, after the restart.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.killed-at-each-point': [
    'The platform killed after it stored a message and before its push, during the push, or between the agent’s answer and the end of its record: each accepted message is answered once and handled once.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.both-killed': [
    'An agent killed with a pushed message at any point, and the platform with it: the message is answered once, and what once() did is not done again.',
    'docs/contract/messages.md#delivery-guarantee; docs/contract/receiving.md#accepting',
  ],
  'durability.killed-before-a-late-answer': [
    'The platform killed while it stores the late answer to a direct message: the answer reaches its sender once.',
    'docs/contract/messages.md#late-answers; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.killed-while-delivery-switches': [
    'The platform killed while an agent with the delivery auto switches between push and long-poll: each message is answered once and handled once, and the switch is made.',
    'docs/contract/receiving.md#which-way-when; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.answers-are-not-repeated': [
    'What callPeer returned before the platform was killed does not reach the handler of its agent as a message again.',
    'docs/contract/messages.md#delivery-guarantee',
  ],
  'durability.stop-is-clean': [
    'A platform that is asked to stop sends waiting readers away and exits with code 0.',
    'docs/contract/limits.md#time-limits; docs/decisions/0012-delivery-guarantee.md',
  ],
  'durability.data-is-private': [
    'Every file of a platform is 0600 in a 0700 folder.',
    'docs/decisions/0028-private-files.md',
  ],
});
