import { ConfigurationError } from '../errors/configuration-error.ts';
import type { InboundDelivery } from './inbound-delivery.ts';
import { LongPollDelivery } from './long-poll-delivery.ts';
import { PollDelivery } from './poll-delivery.ts';

/** How messages arrive: `auto` long-polls, and polls at an interval where the platform does not hold requests. */
export type DeliveryChoice = 'auto' | 'long-poll' | 'poll' | InboundDelivery;

/** @throws ConfigurationError for an unknown word. */
export function chooseDelivery(choice: DeliveryChoice = 'auto'): InboundDelivery {
  if (typeof choice === 'object') return choice;
  if (choice === 'poll') return new PollDelivery();
  if (choice === 'auto' || choice === 'long-poll') return new LongPollDelivery();
  throw new ConfigurationError(
    `delivery must be "auto", "long-poll", "poll" or an InboundDelivery, got ${JSON.stringify(choice)}.`,
  );
}
