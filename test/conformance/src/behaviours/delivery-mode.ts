import { behaviours } from './behaviour.ts';

/** What becomes of messages when an agent changes between its feed and a server of its own. */
export const DELIVERY_MODE = behaviours({
  'delivery-mode.poll-to-push': [
    'Messages that wait for a polling agent are pushed, once and in order, when it registers a URL.',
    'docs/contract/presence.md#delivery-mode; docs/contract/messages.md#delivery-guarantee',
  ],
  'delivery-mode.push-to-poll': [
    'A message whose push is under way when its agent registers for its feed does not wait there as well, and the response to the push ends it.',
    'docs/contract/presence.md#delivery-mode; docs/contract/messages.md#delivery-guarantee',
  ],
  'delivery-mode.push-to-poll-retry': [
    'A message whose push failed is not pushed again after its agent registered for its feed, and waits there until it is acknowledged.',
    'docs/contract/presence.md#delivery-mode; docs/contract/messages.md#delivery-guarantee',
  ],
});
