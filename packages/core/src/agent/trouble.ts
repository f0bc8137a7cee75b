import type { DegradedReason } from './agent-events.ts';
import type { EventHub } from './event-hub.ts';

/** What is wrong at the moment; each begin and each end is told once. */
export class Trouble {
  readonly #events: EventHub;
  readonly #reasons = new Set<DegradedReason>();

  constructor(events: EventHub) {
    this.#events = events;
  }

  get reasons(): readonly DegradedReason[] {
    return [...this.#reasons];
  }

  has(reason: DegradedReason): boolean {
    return this.#reasons.has(reason);
  }

  begin(reason: DegradedReason, error: unknown): void {
    if (this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    this.#events.emit('degraded', reason, error);
  }

  end(reason: DegradedReason): void {
    if (this.#reasons.delete(reason)) this.#events.emit('recovered', reason);
  }
}
