import { MoleculeError } from '../errors/molecule-error.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { Ledger } from './ledger.ts';
import { type DeadLetter, publicDeadLetter, type StoredDeadLetter } from './ledger-lines.ts';
import {
  type Change,
  isUnsendable,
  type MessageRecord,
  NO_PROGRESS,
  type Progress,
  withChange,
} from './life.ts';
import { MessageRun, type RunHome } from './run.ts';
import type { Scheduler } from './scheduler.ts';
import { AnswerStream } from './streams/answer-stream.ts';

/** The dead letters of an agent, and their replays. The message of a letter has ended for its sender. */
export class DeadLetters {
  readonly #ledger: Ledger;
  readonly #scheduler: Scheduler;
  readonly #options: InboundOptions;
  readonly #running = new Map<string, PromiseWithResolvers<void>>();

  constructor(ledger: Ledger, scheduler: Scheduler, options: InboundOptions) {
    this.#ledger = ledger;
    this.#scheduler = scheduler;
    this.#options = options;
  }

  /** Oldest first. */
  list(): readonly DeadLetter[] {
    return [...this.#ledger.deadLetters.values()].map(publicDeadLetter);
  }

  /**
   * Handles the message of a letter once more, without retries, and removes the letter when that succeeds. Effects of
   * `once` and answers that were sent are not repeated. Calling it again meanwhile returns the same promise.
   * @throws the error of the handler or of sending the answer; the letter stays.
   * @throws MoleculeError `not_found` for an unknown letter, or one without its message.
   */
  replay(activityId: string): Promise<void> {
    const running = this.#running.get(activityId);
    if (running !== undefined) return running.promise;
    const ledger = this.#ledger;
    const letter = ledger.deadLetters.get(activityId);
    if (letter === undefined) return Promise.reject(noSuchLetter(activityId));
    const { message } = letter;
    if (message === null) {
      const text = `The dead letter of ${JSON.stringify(activityId)} holds no message.`;
      const hint = 'The message was too large to read: read the message on the platform, then discard it.';
      return Promise.reject(new MoleculeError(text, { code: 'not_found', hint }));
    }
    const replay = Promise.withResolvers<void>();
    this.#running.set(activityId, replay);
    const record: MessageRecord & { progress: Progress } = {
      message,
      via: 'feed',
      digest: '',
      progress: progressOf(letter),
    };
    const change = async (changed: Change): Promise<true> => {
      record.progress = withChange(record.progress, changed);
      return true;
    };
    const home: RunHome = {
      isAtMostOnce: false,
      isReplay: true,
      stream: new AnswerStream(),
      isWaited: () => false,
      // Until the replay has ended the letter stays as it is.
      change,
      begin: change,
      flush: () => undefined,
      answerWaits: () => false,
      withdraw: () => {},
      send: (content, options) => this.#options.client.reply(message, content, options),
      end: () => {
        this.#running.delete(activityId);
        void ledger.removeDeadLetter(activityId).then(() => replay.resolve());
      },
      giveUp: async (_end, failed, error) => {
        await ledger.addDeadLetter(failed);
        this.#running.delete(activityId);
        replay.reject(error);
      },
    };
    this.#scheduler.add(new MessageRun(record, home, this.#options));
    return replay.promise;
  }

  /** @throws MoleculeError `not_found`. */
  async discard(activityId: string): Promise<void> {
    if (!this.#ledger.deadLetters.has(activityId)) throw noSuchLetter(activityId);
    await this.#ledger.removeDeadLetter(activityId);
  }

  /** Rejects replays that have not ended; their letters stay. */
  close(reason: unknown): void {
    for (const { reject } of this.#running.values()) reject(reason);
    this.#running.clear();
  }
}

/** An answer that could not be sent is sent again; one that never can be is made anew. */
function progressOf({ progress, attempts, errorCode }: StoredDeadLetter): Progress {
  const { answer, ...before } = progress ?? NO_PROGRESS;
  const isSent = answer !== undefined && !isUnsendable(errorCode);
  return { ...before, attempts, ...(isSent ? { answer } : {}) };
}

function noSuchLetter(activityId: string): MoleculeError {
  return new MoleculeError(`There is no dead letter of ${JSON.stringify(activityId.slice(0, 80))}.`, {
    code: 'not_found',
    hint: 'listDeadLetters() lists them.',
  });
}
