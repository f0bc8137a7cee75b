import type { InboundMessage } from '@molecule-ai/protocol';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';

/**
 * Which part of the agent is in trouble. `handlers-blocked`: a handler runs for ten minutes while other messages
 * wait for it; `handlerTimeoutMs` ends such handlers.
 */
export type DegradedReason = 'platform-unreachable' | 'inbound-stale' | 'storage' | 'handlers-blocked';

/** What an agent tells its listeners. */
export interface AgentEvents {
  /** Registered, beating and receiving; told once, after a pause at the start when that is over. */
  started: [];
  /** A message that is new to this agent was read. */
  message: [message: InboundMessage];
  /** Its handler and its answer are done. */
  delivered: [message: InboundMessage];
  'reply-sent': [message: InboundMessage];
  /** The handler, or sending its answer, failed; it is tried again after `delayMs`. */
  retry: [
    message: InboundMessage,
    details: { stage: 'handler' | 'reply'; attempt: number; delayMs: number; error: unknown },
  ];
  /** Given up after its attempts; `listDeadLetters` lists it. */
  'dead-letter': [
    message: InboundMessage,
    details: { stage: 'handler' | 'reply'; attempts: number; error: unknown },
  ];
  /** The sender took the message back. */
  cancelled: [message: InboundMessage];
  /** A handler went on although its signal aborted. */
  stuck: [message: InboundMessage];
  paused: [];
  resumed: [];
  removed: [];
  revoked: [];
  degraded: [reason: DegradedReason, error: unknown];
  recovered: [reason: DegradedReason];
  /** The platform forgot the position; what is not acknowledged is read again. */
  'cursor-lost': [error: unknown];
  stopped: [outcome: LoopOutcome];
}

/** Names of {@link AgentEvents}. */
export type AgentEventName = keyof AgentEvents;
export type AgentListener<Name extends AgentEventName> = (...values: AgentEvents[Name]) => unknown;
