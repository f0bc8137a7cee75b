import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import type { ReplyReceipt } from '../../client/reply.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import {
  type MessageProgress,
  mergeProgress,
  type ProgressChange,
  type StoredAnswer,
} from '../stores/message-progress.ts';
import { questionsRefused, withoutQuestions, withQuestionIds } from './asked-questions.ts';

export interface MessageJournalOptions {
  readonly message: InboundMessage;
  /** What was done before. */
  readonly progress: MessageProgress;
  /** Stores what is new; resolves when it survives a crash, or cannot. */
  readonly store: (change: ProgressChange) => Promise<unknown>;
  readonly client: Pick<PlatformClient, 'reply' | 'capabilities'>;
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
    this.#progress = options.progress;
  }

  get progress(): MessageProgress {
    return this.#progress;
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

  /** Whether text of an attempt has left before it ended; in this run, or in an earlier one. */
  get hasStreamed(): boolean {
    return this.#progress.hasStreamed === true;
  }

  /** Call before text of an attempt leaves, and wait. */
  async recordStreamed(): Promise<void> {
    await this.#save({ hasStreamed: true });
  }

  /** Call before an attempt starts; and with the previous number when an attempt was interrupted. */
  async recordAttempts(attempts: number): Promise<void> {
    await this.#save({ attempts });
  }

  /** An outcome without an answer is not stored, because the message is finished immediately afterwards. */
  async recordOutcome(reply: StoredAnswer | null): Promise<void> {
    if (reply === null) this.#progress = mergeProgress(this.#progress, { outcome: { reply } });
    else await this.#save({ outcome: { reply } });
  }

  /** Records that the answer was refused at `at`, RFC 3339; returns when that first was so, in Unix milliseconds. */
  async recordRefusal(at: string): Promise<number> {
    if (this.#progress.refusedSince === undefined) await this.#save({ refusedSince: at });
    return Date.parse(this.#progress.refusedSince ?? at);
  }

  /** Returns a function that sends the answers of one attempt in order, skipping those that an earlier attempt sent. */
  replier(): (answer: StoredAnswer, signal: AbortSignal) => Promise<void> {
    let next = 0;
    return (answer, signal) => {
      const number = next;
      next += 1;
      return this.#enqueue(async () => {
        if (number < this.#progress.repliesSent) return;
        await this.send(answer, signal, number);
        await this.#save({ repliesSent: number + 1 });
      });
    };
  }

  /** Sends an answer. Its key is derived from message and number, so a repeat is not a second answer. */
  async send(answer: StoredAnswer, signal: AbortSignal, number = 0): Promise<ReplyReceipt> {
    const { client, message, onReplySent } = this.#options;
    const key = number === 0 ? {} : { idempotencyKey: `reply-${number + 1}` };
    const { end, ...sent } = client.capabilities.has('questions')
      ? withQuestionIds(answer, message.id, number)
      : withoutQuestions(answer);
    const isPlain = sent.parts === undefined && sent.metadata === undefined;
    const content = isPlain ? sent.text : sent;
    const options = { ...key, ...(end === undefined ? {} : { end }), signal };
    const receipt = await client.reply(message, content, options).catch((error: unknown) => {
      throw questionsRefused(answer, error) ?? error;
    });
    if (receipt.status !== 'ignored') onReplySent();
    return receipt;
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
    await this.#options.store(change);
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
