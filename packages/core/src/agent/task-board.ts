import type { InboundMessage } from '@molecule-ai/protocol';
import type { HeartbeatMetrics } from '../client/heartbeat-report.ts';
import { ErrorRate } from '../presence/error-rate.ts';
import type { Clock } from '../time/clock.ts';

/** What the agent is doing, as heartbeats report it. Never text of a message, only what `progress` was given. */
export class TaskBoard {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #errors: ErrorRate;
  readonly #tasks = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#errors = new ErrorRate(clock);
  }

  started(message: InboundMessage): void {
    this.#tasks.set(message.id, 'handling a message');
  }

  progressed(message: InboundMessage, text: string): void {
    if (this.#tasks.has(message.id)) this.#tasks.set(message.id, text);
  }

  ended(message: InboundMessage): void {
    this.#tasks.delete(message.id);
  }

  succeeded(): void {
    this.#errors.succeeded();
  }

  failed(error: unknown): void {
    this.#errors.failed(error);
  }

  metrics(): HeartbeatMetrics {
    return {
      currentTask: [...this.#tasks.values()].at(-1) ?? '',
      activeTasks: this.#tasks.size,
      errorRate: this.#errors.rate(),
      sampleError: this.#errors.sample(),
      uptimeSeconds: Math.floor((this.#clock.monotonic() - this.#startedAt) / 1_000),
    };
  }
}
