import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { ReconnectDelays } from '../time/backoff.ts';
import type { Timer } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import type { ControlReads } from './delivery.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { Scheduler } from './scheduler.ts';

/** How many cancellations of messages that have not arrived are remembered. */
const MAX_EARLY = 1_000;
/** Handlers that end sooner cost no request. */
const OPEN_AFTER_MS = 500;
const HELD_READS: ControlReads = { waitSeconds: 25 };
/** A read that comes back sooner was not held by the platform. */
const SHORTEST_HELD_MS = 1_000;
const UNHELD_PAUSE_MS = 5_000;
const REPORT_FAILURE_AFTER_MS = 300_000;
const CANCELED = 'The sender cancelled a message.';

/**
 * Ends messages whose senders canceled them, as rows of the feed or control rows say so. Control rows are read while the agent has
 * messages in progress, from platforms with the capability `cancel`. Failures are retried, and logged once when they last for five minutes: an agent
 * that is not notified works in vain, and nothing else.
 */
export class Cancellations {
  readonly #options: InboundOptions;
  readonly #scheduler: Scheduler;
  /** `null` reads nothing. */
  readonly #reads: ControlReads | null;
  /** Rows that were canceled before they arrived here, for the case that they were already on the way. */
  readonly #early = new LatestMap<true>(MAX_EARLY);
  #isOpen = false;
  /** The time before the first read, and what reads after it. */
  #timer: Timer | undefined;
  #session: LinkedAbort | undefined;
  /** Kept in memory only: after a restart the rows of the last hour are read again, and those of no message are ignored. */
  #sinceSeq = 0;
  readonly #delays = new ReconnectDelays();
  #failingSince: number | undefined;
  #isReported = false;

  constructor(options: InboundOptions, scheduler: Scheduler) {
    const { controlReads } = options.delivery;
    this.#options = options;
    this.#scheduler = scheduler;
    this.#reads = controlReads === undefined ? HELD_READS : controlReads;
  }

  /** Reads what was canceled while messages are in progress, until {@link close}. */
  open(): void {
    this.#isOpen = true;
    this.#start();
  }

  close(): void {
    this.#isOpen = false;
    this.emptied();
  }

  /** A message was given to the scheduler. */
  added(message: InboundMessage): void {
    if (this.#early.delete(message.id)) this.canceled(message.id);
    this.#start();
  }

  /** No message is in progress any more. */
  emptied(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#session?.abort();
    this.#session = undefined;
  }

  /** Takes a row of the feed that cancels another one, as other platforms send it; `finish` is called when nothing is left to do with it. */
  received(cancellation: InboundMessage, finish: () => void): void {
    const { count, finished } = this.#scheduler.cancel(
      (other) => isCancellationOf(cancellation, other),
      cancelledBySender(),
    );
    this.#options.logger.info({ activityId: cancellation.id, count }, CANCELED);
    // Only after the messages it cancels: otherwise they would be handled after a crash in between.
    if (count === 0) finish();
    else void finished.then(finish);
  }

  /** Ends a message. False when it is not in progress; should it arrive later, it is ended then. */
  canceled(activityId: string): boolean {
    const { count } = this.#scheduler.cancel((message) => message.id === activityId, cancelledBySender());
    if (count > 0) {
      this.#options.logger.info({ activityId }, CANCELED);
      return true;
    }
    this.#early.set(activityId, true);
    return false;
  }

  get #isOffered(): boolean {
    return this.#options.client.capabilities.has('cancel');
  }

  /** Reads control rows after some time, unless it does already. */
  #start(): void {
    const reads = this.#reads;
    const isReading = this.#timer !== undefined || this.#session !== undefined;
    if (reads === null || isReading || !this.#isOpen || this.#scheduler.isEmpty || !this.#isOffered) return;
    const pauseMs = 'intervalMs' in reads ? reads.intervalMs : OPEN_AFTER_MS;
    this.#timer = this.#options.clock.setTimer(pauseMs, () => {
      this.#timer = undefined;
      this.#session = linkAbort();
      // Rejects with the abort only.
      this.#run(reads, this.#session.signal).catch(() => {});
    });
  }

  async #run(reads: ControlReads, signal: AbortSignal): Promise<void> {
    for (;;) {
      const pauseMs = this.#isOffered ? await this.#read(reads, signal) : UNHELD_PAUSE_MS;
      if (pauseMs > 0) await this.#options.clock.sleep(pauseMs, { signal, keepAlive: false });
    }
  }

  /** Returns the pause before the next read, in milliseconds. */
  async #read(reads: ControlReads, signal: AbortSignal): Promise<number> {
    const { client, clock } = this.#options;
    const isHeld = 'waitSeconds' in reads;
    const sinceSeq = this.#sinceSeq;
    const startedAt = clock.monotonic();
    try {
      const query = {
        sinceSeq,
        ...(isHeld ? { waitSecs: reads.waitSeconds } : {}),
        isRetried: false,
        takesTurns: true,
        signal,
      };
      const { canceled, lastSeq } = await client.fetchCancellations(query);
      signal.throwIfAborted();
      this.#succeeded();
      this.#sinceSeq = lastSeq;
      for (const { activityId } of canceled) this.canceled(activityId);
      if (!isHeld) return reads.intervalMs;
      if (lastSeq > sinceSeq) return 0;
      return clock.monotonic() - startedAt < SHORTEST_HELD_MS ? UNHELD_PAUSE_MS : 0;
    } catch (error) {
      signal.throwIfAborted();
      return this.#failed(error);
    }
  }

  #succeeded(): void {
    if (this.#isReported) this.#options.logger.warn({}, 'Cancellations of messages can be read again.');
    this.#delays.succeeded();
    this.#failingSince = undefined;
    this.#isReported = false;
  }

  #failed(error: unknown): number {
    const { clock, logger } = this.#options;
    const now = clock.monotonic();
    this.#failingSince ??= now;
    if (!this.#isReported && now - this.#failingSince >= REPORT_FAILURE_AFTER_MS) {
      this.#isReported = true;
      logger.warn(
        { error },
        'Cancellations of messages cannot be read: canceled messages are handled to the end.',
      );
    }
    return this.#delays.next(error, this.#options);
  }
}

/** The abort reason when the sender cancelled the message. */
function cancelledBySender(): MoleculeError {
  return new MoleculeError('The sender cancelled this message.', { code: 'cancelled_by_sender' });
}

/** True if the cancellation names one of the ids of the message and comes from the same sender or from the canvas. */
export function isCancellationOf(cancellation: InboundMessage, message: InboundMessage): boolean {
  const isSameSender =
    cancellation.source === message.source &&
    cancellation.sourceId.toLowerCase() === message.sourceId.toLowerCase();
  if (!isSameSender && cancellation.source !== 'canvas_user') return false;
  const named = new Set(
    [
      cancellation.params.id,
      cancellation.params.task_id,
      cancellation.params.taskId,
      cancellation.metadata.delegation_id,
      cancellation.raw.delegation_id,
      cancellation.inReplyTo,
    ].filter(isId),
  );
  return [message.id, message.messageId, message.metadata.delegation_id, message.raw.delegation_id]
    .filter(isId)
    .some((id) => named.has(id));
}

function isId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
