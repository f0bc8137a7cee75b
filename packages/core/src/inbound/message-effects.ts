import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import type { PlatformClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { InboundStorage } from './inbound-storage.ts';
import { EMPTY_JOURNAL_ENTRY, type JournalEntry } from './message-journal.ts';

/** What {@link MessageEffects} need. */
export interface MessageEffectsOptions {
  readonly message: InboundMessage;
  readonly storage: InboundStorage;
  readonly port: Pick<PlatformClient, 'reply'>;
  /** Whether a restart may find the message again; else nothing goes to disk. */
  readonly isDurable: boolean;
  readonly onReplySent: () => void;
}

/** The journalled effects of one message across its attempts: answers, `once` results, and the outcome. */
export class MessageEffects {
  readonly #options: MessageEffectsOptions;
  #entry: JournalEntry = EMPTY_JOURNAL_ENTRY;
  readonly #running = new Map<string, Promise<unknown>>();
  #tail: Promise<void> = Promise.resolve();

  constructor(options: MessageEffectsOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const { storage, message } = this.#options;
    this.#entry = (await storage.loadEntry(message.id)) ?? EMPTY_JOURNAL_ENTRY;
  }

  /** Set when the handler is done. */
  get outcome(): JournalEntry['outcome'] {
    return this.#entry.outcome;
  }

  /** Whether the handler answered by itself, in this attempt or an earlier one. */
  get hasReplied(): boolean {
    return this.#entry.repliesSent > 0;
  }

  /** The handler is done. An outcome without answer needs no entry: the message is finished right after. */
  async settle(reply: string | null): Promise<void> {
    if (reply === null) this.#entry = { ...this.#entry, outcome: { reply } };
    else await this.#save({ outcome: { reply } });
  }

  /** A counter for the answers of one attempt: those that an earlier attempt sent are skipped. */
  replier(): (text: string, signal: AbortSignal) => Promise<void> {
    let next = 0;
    return (text, signal) => {
      const number = next;
      next += 1;
      return this.#inTurn(async () => {
        if (number < this.#entry.repliesSent) return;
        await this.send(text, signal, number);
        await this.#save({ repliesSent: number + 1 });
      });
    };
  }

  /** Sends an answer. Its key follows from the message and its number, so a repeat is no second answer. */
  async send(text: string, signal: AbortSignal, number = 0): Promise<void> {
    const { port, message, onReplySent } = this.#options;
    const key = number === 0 ? {} : { idempotencyKey: `reply-${number + 1}` };
    await port.reply(message, text, { ...key, signal });
    onReplySent();
  }

  async once(key: string, effect: () => unknown, signal: AbortSignal): Promise<unknown> {
    if (Object.hasOwn(this.#entry.effects, key)) return this.#entry.effects[key];
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
    await this.#inTurn(() => this.#save({ effects: { ...this.#entry.effects, [key]: stored } }));
    return result;
  }

  async #save(change: Partial<JournalEntry>): Promise<void> {
    this.#entry = { ...this.#entry, ...change };
    const { storage, message, isDurable } = this.#options;
    if (isDurable) await storage.saveEntry(message.id, this.#entry);
  }

  /** One after the other, so that answers keep their order and no write overtakes another. */
  #inTurn(work: () => Promise<void>): Promise<void> {
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
  return new MoleculeError(`The result of once(${JSON.stringify(key)}) is not JSON, so it cannot be kept.`, {
    code: 'invalid_argument',
    hint: 'Return plain data, such as the id of what was created.',
    cause,
  });
}
