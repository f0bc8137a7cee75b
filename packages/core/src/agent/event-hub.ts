import type { AgentEventName, AgentEvents, AgentListener } from './agent-events.ts';

/** Listeners by event. One that throws or rejects disturbs neither the agent nor the others. */
export class EventHub {
  readonly #listeners = new Map<AgentEventName, Set<(...values: never[]) => unknown>>();
  readonly #onListenerError: (event: AgentEventName, error: unknown) => void;

  constructor(onListenerError: (event: AgentEventName, error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    let isOn = true;
    return () => {
      // Only once: the listener may have been put on again since.
      if (isOn) this.off(event, listener);
      isOn = false;
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
