import type { PlatformContext } from '../../context.ts';
import type { MessageRow } from '../message.store.ts';
import type { CanceledMessage, PushAttempts } from './push-attempt.ts';
import { isOfA2a1 } from './push-body.rules.ts';
import { runWithin } from './time-limit.ts';

/** Time for one cancellation, from reading its parties to the response, in milliseconds. */
const TIME_LIMIT_MS = 5_000;
/** Concurrent cancellations to one agent, and how many more wait for one of these places. */
const MAX_RUNNING = 4;
const MAX_WAITING = 64;

export interface CancellationPushesOptions extends Pick<PlatformContext, 'clock' | 'logger'> {
  readonly attempts: Pick<PushAttempts, 'cancel'>;
}

interface TargetQueue {
  running: number;
  readonly waiting: CanceledMessage[];
}

/**
 * Posts cancellations to agents in the background, each once. They are best effort: one that takes too long is aborted,
 * one that finds too many before it is dropped, and none delays a message.
 */
export class CancellationPushes {
  readonly #options: CancellationPushesOptions;
  readonly #targets = new Map<string, TargetQueue>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: CancellationPushesOptions) {
    this.#options = options;
  }

  /** Lets the agent of a message that was pushed know that it is canceled. */
  add(canceled: MessageRow): void {
    const { id, message_id, conversation_id, source_id, target_id, passed_headers } = canceled;
    if (this.#stopping.signal.aborted) return;
    const about = { id, message_id, conversation_id, source_id, target_id, passed_headers };
    const message = { ...about, isA2a1: isOfA2a1(canceled) };
    const queue = this.#targets.get(target_id) ?? { running: 0, waiting: [] };
    this.#targets.set(target_id, queue);
    if (queue.running < MAX_RUNNING) this.#start(queue, message);
    else if (queue.waiting.length < MAX_WAITING) queue.waiting.push(message);
    else
      this.#options.logger.debug({ messageId: id }, 'Dropped a cancellation: too many wait for their agent');
  }

  /** Aborts those that run and drops those that wait. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  #start(queue: TargetQueue, message: CanceledMessage): void {
    queue.running += 1;
    const run = this.#post(message).then(() => {
      this.#running.delete(run);
      queue.running -= 1;
      const next = this.#stopping.signal.aborted ? undefined : queue.waiting.shift();
      if (next !== undefined) this.#start(queue, next);
      else if (queue.running === 0) this.#targets.delete(message.target_id);
    });
    this.#running.add(run);
  }

  async #post(message: CanceledMessage): Promise<void> {
    const { attempts, clock, logger } = this.#options;
    const limits = { clock, timeLimitMs: TIME_LIMIT_MS, stopping: this.#stopping.signal };
    try {
      await runWithin(limits, (signal) => attempts.cancel(message, signal));
    } catch (error) {
      logger.warn(
        { messageId: message.id, reason: String(error) },
        'Failed to post a cancellation to an agent',
      );
    }
  }
}
