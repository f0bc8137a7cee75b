import type { InboundMessage } from '@molecule-ai/protocol';
import { LazySet } from '../../collections/lazy-set.ts';
import type { Logger } from '../../logging/logger.ts';
import { ControlReader, type ControlReaderOptions } from '../sources/control-reader.ts';
import { cancelledBySender, isCancellationOf } from './rules.ts';
import type { Scheduler } from './scheduler.ts';

/** How many cancellations of messages that have not arrived are remembered. */
const MAX_EARLY = 1_000;

export interface CancellationsOptions extends Omit<ControlReaderOptions, 'onCanceled'> {
  readonly scheduler: Pick<Scheduler, 'cancel' | 'isEmpty'>;
  readonly logger: Logger;
  /** Finishes the row of a cancellation that is itself a message. */
  readonly finish: (cancellation: InboundMessage) => void;
}

/** Ends messages whose senders canceled them, as control rows or as rows of the feed say so. */
export class Cancellations {
  readonly #options: CancellationsOptions;
  readonly #reader: ControlReader;
  /** Rows that were canceled before they arrived here, for the case that they were already on the way. */
  readonly #early = new LazySet<string>();
  #isOpen = false;

  constructor(options: CancellationsOptions) {
    this.#options = options;
    this.#reader = new ControlReader({
      ...options,
      onCanceled: (activityId) => void this.canceled(activityId),
    });
  }

  /** Reads what was canceled while messages are in progress, until {@link close}. */
  open(): void {
    this.#isOpen = true;
    if (!this.#options.scheduler.isEmpty) this.#reader.start();
  }

  close(): void {
    this.#isOpen = false;
    this.#reader.stop();
  }

  /** A message was given to the scheduler. */
  added(message: InboundMessage): void {
    if (this.#early.delete(message.id)) this.canceled(message.id);
    if (this.#isOpen && !this.#options.scheduler.isEmpty) this.#reader.start();
  }

  /** No message is in progress any more. */
  emptied(): void {
    this.#reader.stop();
  }

  /** Takes a row of the feed that cancels another one, as other platforms send it. */
  received(cancellation: InboundMessage): void {
    const { scheduler, logger, finish } = this.#options;
    const { count, finished } = scheduler.cancel(
      (other) => isCancellationOf(cancellation, other),
      cancelledBySender(),
    );
    logger.info({ activityId: cancellation.id, count }, 'The sender cancelled a message.');
    // Only after the messages it cancels: otherwise they would be handled after a crash in between.
    if (count === 0) finish(cancellation);
    else void finished.then(() => finish(cancellation));
  }

  /** Ends a message. False when it is not in progress; should it arrive later, it is ended then. */
  canceled(activityId: string): boolean {
    const { scheduler, logger } = this.#options;
    const { count } = scheduler.cancel((message) => message.id === activityId, cancelledBySender());
    if (count > 0) {
      logger.info({ activityId }, 'The sender cancelled a message.');
      return true;
    }
    this.#early.add(activityId);
    const [oldest] = this.#early;
    if (this.#early.size > MAX_EARLY && oldest !== undefined) this.#early.delete(oldest);
    return false;
  }
}
