import type { AgentEventName } from '@molecule-ai/core';

const EVENTS: Readonly<Record<AgentEventName, true>> = {
  started: true,
  'start-failed': true,
  message: true,
  delivered: true,
  'reply-sent': true,
  retry: true,
  'dead-letter': true,
  failed: true,
  expired: true,
  cancelled: true,
  'answer-unhandled': true,
  stuck: true,
  'set-aside': true,
  'delivery-changed': true,
  paused: true,
  resumed: true,
  removed: true,
  revoked: true,
  superseded: true,
  degraded: true,
  recovered: true,
  'cursor-lost': true,
  'peer-changed': true,
  stopped: true,
};

export function isAgentEvent(name: unknown): name is AgentEventName {
  return typeof name === 'string' && Object.hasOwn(EVENTS, name);
}

/** For errors. */
export const AGENT_EVENTS = Object.keys(EVENTS).join(', ');
