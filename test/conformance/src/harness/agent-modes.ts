import { type InboundDelivery, LongPollDelivery, PollDelivery } from '@molecule-ai/core';

/** How messages get to an agent; push joins them with the agent's own server. Polls as often as is allowed. */
export const DELIVERIES = {
  'long-poll': (): InboundDelivery => new LongPollDelivery(),
  poll: (): InboundDelivery => new PollDelivery({ intervalMs: 1_000 }),
} as const;

export type DeliveryName = keyof typeof DELIVERIES;

export const DELIVERY_NAMES = Object.keys(DELIVERIES) as DeliveryName[];
