import { behaviours } from './behaviour.ts';

/** What survives a platform that is killed, and what lies on its disk. */
export const DURABILITY = behaviours({
  'durability.accepted-survives-a-kill': [
    'A message answered with 202 is there after the platform was killed, in order and once.',
    'decision 12; wire contract 9 weakness 10',
  ],
  'durability.answers-survive-a-kill': [
    'An answer that was accepted reaches its caller although the platform was killed right after.',
    'decisions 11 and 12',
  ],
  'durability.pushes-survive-a-kill': [
    'A push that was under way when the platform was killed is made again, at once, after the restart.',
    'wire contract 9 weakness 10; decision 12',
  ],
  'durability.stop-is-clean': [
    'A platform that is asked to stop sends waiting readers away and exits with code 0.',
    'wire contract 1.6; decision 12',
  ],
  'durability.data-is-private': ['The files of a platform are 0600 in a 0700 folder.', 'decision 28'],
});
