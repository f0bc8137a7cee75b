import { randomUUID } from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import type { ProgressReceipt } from '../../client/client-port.ts';
import { ApiError } from '../../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../../errors/connection-error.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { STREAM_METHODS } from '../../inbound-http/inbound-call.ts';
import { backoffDelayMs } from '../../time/backoff.ts';
import { type LinkedAbort, linkAbort, orAborted, withDeadline } from '../../time/linked-abort.ts';
import type { InboundOptions } from '../inbound-options.ts';
import type { AnswerReader, AnswerStream } from './answer-stream.ts';

/** Longest text of a report, in UTF-16 units: as JSON it is below 1 MiB, whatever it consists of. */
const MAX_TEXT = 128 * 1024;
const MIN_INTERVAL_MS = 100;
/** Of each answer that is reported at the same time: together 2 400 reports a minute, of 3 000 that a workspace may send. */
const INTERVAL_SHARE_MS = 25;
/** How long an answer waits for the last report. */
const MAX_FLUSH_MS = 2_000;
const MAX_CONFLICTS = 5;

/** Reports answers to the platform while they are made, for the messages of the feed whose senders read streams. */
export class ProgressReports {
  readonly options: InboundOptions;
  /** Aborts when the agent ends. */
  readonly signal: AbortSignal;
  /** Those that have something to report. */
  readonly active = new Set<ProgressReporter>();

  constructor(options: InboundOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
  }

  /** `null` for a message whose sender reads no stream, or where the platform takes no reports. */
  start(message: InboundMessage, stream: AnswerStream): ProgressReporter | null {
    const { client } = this.options;
    const isTaken = client.reportProgress !== undefined && client.capabilities.has('stream');
    if (!isTaken || !STREAM_METHODS.has(message.method)) return null;
    return new ProgressReporter(this, message.id, stream.read({ isReport: true }));
  }
}

/** Reports the answer to one message. Failures concern nobody but those who read the stream. */
export class ProgressReporter {
  readonly #reports: ProgressReports;
  readonly #activityId: string;
  readonly #reader: AnswerReader;
  readonly #life: LinkedAbort;
  readonly #runId = randomUUID();
  readonly #ended: Promise<void>;
  #lastAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #conflicts = 0;

  constructor(reports: ProgressReports, activityId: string, reader: AnswerReader) {
    this.#reports = reports;
    this.#activityId = activityId;
    this.#reader = reader;
    this.#life = linkAbort(reports.signal);
    // Rejects with the abort only.
    this.#ended = this.#run(this.#life.signal)
      .catch(() => {})
      .finally(() => this.#onEnded());
  }

  /** Resolves when the text, which is complete, was reported, or two seconds have passed; then it ends. */
  async flush(): Promise<void> {
    const { clock } = this.#reports.options;
    const reader = this.#reader;
    if (reader.place > 0 || reader.hasMore) {
      const limits = { clock, timeoutMs: MAX_FLUSH_MS, what: 'The last report' };
      await withDeadline(limits, () => this.#ended).catch(() => {});
    }
    this.stop();
  }

  /** Idempotent. */
  stop(): void {
    this.#life.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const reader = this.#reader;
    for (;;) {
      const changed = reader.changed();
      if (reader.isCutOff || (reader.isComplete && reader.place === 0)) return;
      if (!reader.hasMore && !reader.isComplete) await orAborted(changed, signal);
      else if (await this.#reportNext(signal)) return;
    }
  }

  /** Resolves with whether it was the last one. */
  async #reportNext(signal: AbortSignal): Promise<boolean> {
    const { client, clock } = this.#reports.options;
    const reader = this.#reader;
    await this.#waitForTurn(signal);
    const offset = reader.place;
    const text = await reader.take(MAX_TEXT);
    const isFinal = reader.isComplete;
    signal.throwIfAborted();
    if (text === '' && !isFinal) return false;
    this.#lastAt = clock.monotonic();
    const report = { activityId: this.#activityId, runId: this.#runId, offset, text, isFinal };
    try {
      const receipt = await client.reportProgress?.(report, { signal });
      if (receipt === undefined) return true;
      this.#failures = 0;
      reader.holdsBack = true;
      if (!receipt.isTaken) return this.#isRefused(receipt);
      reader.confirm();
      return isFinal;
    } catch (error) {
      if (!isNotTaken(error)) reader.mayHaveArrived();
      if (signal.aborted || !MoleculeError.isInstance(error) || !error.isRetryable) {
        return this.#endedBy(error);
      }
      reader.goBack(offset);
      await this.#waitAfter(error, signal);
      return false;
    }
  }

  /** Goes on where the platform expects it; true when there is no such place. */
  #isRefused({ nextOffset }: ProgressReceipt): boolean {
    const reader = this.#reader;
    this.#conflicts += 1;
    if (nextOffset === null || nextOffset > reader.place || this.#conflicts > MAX_CONFLICTS) {
      return this.#endedBy(null);
    }
    reader.goBack(nextOffset);
    return false;
  }

  async #waitForTurn(signal: AbortSignal): Promise<void> {
    const { active, options } = this.#reports;
    const { clock } = options;
    active.add(this);
    const intervalMs = Math.max(MIN_INTERVAL_MS, active.size * INTERVAL_SHARE_MS);
    const leftMs = this.#lastAt + intervalMs - clock.monotonic();
    if (leftMs > 0) await clock.sleep(leftMs, { signal, keepAlive: false });
  }

  /** The handler does not wait for a platform that takes no reports at the moment. */
  async #waitAfter(error: MoleculeError, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#reports.options;
    this.#failures += 1;
    this.#reader.holdsBack = false;
    const waitMs = error.retryAfterMs ?? backoffDelayMs(this.#failures, random);
    await clock.sleep(waitMs, { signal, keepAlive: false });
  }

  #endedBy(error: unknown): true {
    const fields = { activityId: this.#activityId, error };
    const text = 'An answer is no longer reported while it is made.';
    if (!this.#life.signal.aborted) this.#reports.options.logger.debug(fields, text);
    return true;
  }

  #onEnded(): void {
    this.#reports.active.delete(this);
    this.#reader.leave();
    this.#life.unlink();
  }
}

/** Whether the platform certainly has not taken the report that failed. */
function isNotTaken(error: unknown): boolean {
  if (ApiError.isInstance(error)) return true;
  return (ConnectionError.isInstance(error) || TimeoutError.isInstance(error)) && error.delivered === 'no';
}
