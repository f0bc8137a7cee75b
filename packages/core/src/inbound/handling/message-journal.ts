import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { InboundState } from '../inbound-state.ts';
import { type MessageProgress, mergeProgress, type ProgressChange } from '../stores/inbound-records.ts';

export interface MessageJournalOptions {
  readonly message: InboundMessage;
  readonly state: Pick<InboundState, 'progressOf' | 'saveProgress'>;
  readonly client: Pick<PlatformClient, 'reply'>;
  /** False for at-most-once delivery: the message is not delivered again, so nothing is stored. */
  readonly isStored: boolean;
  readonly onReplySent: () => void;
}

/**
 * Records what the handling of one message has done, across attempts and restarts, so that it is not repeated. Sends the
 * answers as well, because an answer and the record that it was sent belong together.
 */
export class MessageJournal {
  readonly #options: MessageJournalOptions;
  #progress: MessageProgress;
  readonly #running = new Map<string, Promise<unknown>>();
  #tail: Promise<void> = Promise.resolve();

  constructor(options: MessageJournalOptions) {
    this.#options = options;
    this.#progress = options.state.progressOf(options.message);
  }

  /** Number of handler attempts started. */
  get attempts(): number {
    return this.#progress.attempts;
  }

  /** Set when the handler has finished. */
  get outcome(): MessageProgress['outcome'] {
    return this.#progress.outcome;
  }

  /** Whether the handler called `context.reply`, in this attempt or an earlier one. */
  get hasReplied(): boolean {
    return this.#progress.repliesSent > 0;
  }

  /** Call before an attempt starts; and with the previous number when an attempt was interrupted. */
  async recordAttempts(attempts: number): Promise<void> {
    await this.#save({ attempts });
  }

  /** An outcome without an answer is not stored, because the message is finished immediately afterwards. */
  async recordOutcome(reply: string | null): Promise<void> {
    if (reply === null) this.#progress = mergeProgress(this.#progress, { outcome: { reply } });
    else await this.#save({ outcome: { reply } });
  }

  /** Returns a function that sends the answers of one attempt in order, skipping those that an earlier attempt sent. */
  replier(): (text: string, signal: AbortSignal) => Promise<void> {
    let next = 0;
    return (text, signal) => {
      const number = next;
      next += 1;
      return this.#enqueue(async () => {
        if (number < this.#progress.repliesSent) return;
        await this.send(text, signal, number);
        await this.#save({ repliesSent: number + 1 });
      });
    };
  }

  /** Sends an answer. Its key is derived from message and number, so a repeat is not a second answer. */
  async send(text: string, signal: AbortSignal, number = 0): Promise<void> {
    const { client, message, onReplySent } = this.#options;
    const key = number === 0 ? {} : { idempotencyKey: `reply-${number + 1}` };
    await client.reply(message, text, { ...key, signal });
    onReplySent();
  }

  async once(key: string, effect: () => unknown, signal: AbortSignal): Promise<unknown> {
    const { effects } = this.#progress;
    if (Object.hasOwn(effects, key)) return effects[key];
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    signal.throwIfAborted();
    const run = this.#runOnce(key, effect).finally(() => this.#running.delete(key));
    this.#running.set(key, run);
    return run;
  }

  async #runOnce(key: string, effect: () => unknown): Promise<unknown> {
    const result = await effect();
    const stored = toJson(key, result);
    await this.#save({ effects: { [key]: stored } });
    return result;
  }

  async #save(change: ProgressChange): Promise<void> {
    this.#progress = mergeProgress(this.#progress, change);
    const { state, message, isStored } = this.#options;
    if (isStored) await state.saveProgress(message, change);
  }

  /** Runs one task after the other, so that answers keep their order. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const next = this.#tail.then(work);
    this.#tail = next.catch(() => {});
    return next;
  }
}

function toJson(key: string, result: unknown): JsonValue {
  if (result === undefined) return null;
  try {
    const text: string | undefined = JSON.stringify(result);
    if (text !== undefined) return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw notJson(key, cause);
  }
  throw notJson(key);
}

function notJson(key: string, cause?: unknown): MoleculeError {
  return new MoleculeError(`The result of once(${JSON.stringify(key)}) is not JSON and cannot be stored.`, {
    code: 'invalid_argument',
    hint: 'Return plain data, such as the id of what was created.',
    cause,
  });
}
