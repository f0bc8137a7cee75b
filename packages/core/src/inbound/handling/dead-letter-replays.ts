import { LazyMap } from '../../collections/lazy-map.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { InboundState } from '../inbound-state.ts';
import { type DeadLetter, publicDeadLetter, type StoredDeadLetter } from '../stores/dead-letters.ts';
import { type MessageProgress, NO_PROGRESS } from '../stores/message-progress.ts';
import { AnswerStream } from '../streams/answer-stream.ts';
import { MessageRun, type MessageRunOptions } from './message-run.ts';
import { isUnsendable } from './rules.ts';
import type { RunSubject } from './run-subject.ts';
import type { Scheduler } from './scheduler.ts';

export interface DeadLetterReplaysOptions {
  readonly state: Pick<InboundState, 'deadLetters' | 'addDeadLetter' | 'removeDeadLetter'>;
  readonly scheduler: Pick<Scheduler, 'add'>;
  readonly run: MessageRunOptions;
}

/** The dead letters of an agent, and their replays. The message of a letter has ended for its sender. */
export class DeadLetterReplays {
  readonly #options: DeadLetterReplaysOptions;
  readonly #running = new LazyMap<string, PromiseWithResolvers<void>>();

  constructor(options: DeadLetterReplaysOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  list(): readonly DeadLetter[] {
    return this.#options.state.deadLetters.all.map(publicDeadLetter);
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
    const letter = this.#options.state.deadLetters.find(activityId);
    if (letter === undefined) return Promise.reject(noSuchLetter(activityId));
    const { message } = letter;
    if (message === null) return Promise.reject(withoutMessage(activityId));
    const { state, scheduler, run } = this.#options;
    const replay = Promise.withResolvers<void>();
    this.#running.set(activityId, replay);
    const subject: RunSubject = {
      message,
      progress: progressOf(letter),
      isRetried: false,
      isCallerKnown: true,
      isAnsweredByRequest: true,
      stream: new AnswerStream(),
      flush: async () => {},
      isAccepted: null,
      // Until the replay has ended the letter stays as it is.
      save: () => Promise.resolve(),
      answerWaits: () => false,
      acknowledgeFirst: null,
      lateEnd: () => null,
      finish: () => {
        this.#running.delete(activityId);
        void state.removeDeadLetter(activityId).then(() => replay.resolve());
      },
      giveUp: async (again, error) => {
        await state.addDeadLetter(again);
        this.#running.delete(activityId);
        replay.reject(error);
      },
    };
    scheduler.add(new MessageRun(subject, run));
    return replay.promise;
  }

  /** @throws MoleculeError `not_found`. */
  async discard(activityId: string): Promise<void> {
    if (this.#options.state.deadLetters.find(activityId) === undefined) throw noSuchLetter(activityId);
    await this.#options.state.removeDeadLetter(activityId);
  }

  /** Rejects replays that have not ended; their letters stay. */
  close(reason: unknown): void {
    for (const { reject } of this.#running.values()) reject(reason);
    this.#running.clear();
  }
}

/** An answer that could not be sent is sent again; one that never can be is made anew. */
function progressOf({ progress, attempts, errorCode }: StoredDeadLetter): MessageProgress {
  const before = progress ?? NO_PROGRESS;
  return { ...before, attempts, outcome: isUnsendable(errorCode) ? null : before.outcome };
}

function noSuchLetter(activityId: string): MoleculeError {
  return new MoleculeError(`There is no dead letter of ${JSON.stringify(activityId.slice(0, 80))}.`, {
    code: 'not_found',
    hint: 'listDeadLetters() lists them.',
  });
}

function withoutMessage(activityId: string): MoleculeError {
  return new MoleculeError(`The dead letter of ${JSON.stringify(activityId)} holds no message.`, {
    code: 'not_found',
    hint: 'The message was too large to read, or an older version of this package wrote the letter: read the message on the platform, then discard it.',
  });
}
