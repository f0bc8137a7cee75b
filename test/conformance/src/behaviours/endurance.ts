import { behaviours } from './behaviour.ts';

/** What holds for many messages at once while processes are killed again and again. */
export const ENDURANCE = behaviours({
  'endurance.platform-killed': [
    'However often the platform is killed, each accepted message has one end, and its sender learns that end.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0029-every-message-ends.md',
  ],
  'endurance.agents-killed': [
    'However often senders and agents are killed, each accepted message has one end, and its sender learns that end.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0029-every-message-ends.md',
  ],
});
