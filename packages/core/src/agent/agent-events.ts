import type { InboundMessage } from '@molecule-ai/protocol';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';

/**
 * Which part of the agent does not work as it should. `handlers-blocked`: a handler runs for ten minutes while other messages
 * wait for it; `handlerTimeoutMs` ends such handlers.
 */
export type DegradedReason = 'platform-unreachable' | 'inbound-stale' | 'storage' | 'handlers-blocked';

/** The events of an agent and what its listeners get. */
export interface AgentEvents {
  /** Registered, sending heartbeats and receiving; emitted once, for an agent that starts paused after the resume. */
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
  /** The sender cancelled the message. */
  cancelled: [message: InboundMessage];
  /** A handler continued although its signal aborted. */
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

/** The listeners by event. One that throws or rejects disturbs neither the agent nor the others. */
export class AgentEventEmitter {
  readonly #listeners = new Map<AgentEventName, Set<(...values: never[]) => unknown>>();
  readonly #onListenerError: (event: AgentEventName, error: unknown) => void;

  constructor(onListenerError: (event: AgentEventName, error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    let isRegistered = true;
    return () => {
      // Only once: the listener may have been registered again since.
      if (isRegistered) this.off(event, listener);
      isRegistered = false;
    };
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#listeners.get(event)?.delete(listener);
  }

  emit<Name extends AgentEventName>(event: Name, ...values: AgentEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) void this.#call(event, listener, values);
  }

  async #call(
    event: AgentEventName,
    listener: (...values: never[]) => unknown,
    values: readonly unknown[],
  ): Promise<void> {
    try {
      await listener(...(values as never[]));
    } catch (error) {
      this.#onListenerError(event, error);
    }
  }
}
