import type { InboundMessage } from '@molecule-ai/protocol';
import type { Arrival, KeptEnd } from '../arrivals/arrival.ts';
import type { Arrivals } from '../arrivals/arrivals.ts';
import type { InboundObserver } from '../inbound-observer.ts';
import type { InboundState, MessageEnd } from '../inbound-state.ts';
import type { AckSender } from '../position/ack-sender.ts';
import { NO_PROGRESS, type ProgressChange } from '../stores/message-progress.ts';
import { AnswerStream } from '../streams/answer-stream.ts';
import type { AnswerStreams } from '../streams/answer-streams.ts';
import type { ProgressReports } from '../streams/progress-reports.ts';
import type { Cancellations } from './cancellations.ts';
import { MessageRun, type MessageRunOptions } from './message-run.ts';
import { GAVE_UP_TEXT } from './rules.ts';
import type { RunSubject } from './run-subject.ts';
import type { Scheduler } from './scheduler.ts';

export interface MessageRunsOptions {
  readonly run: MessageRunOptions;
  readonly observer: Pick<InboundObserver, 'received'>;
  readonly state: InboundState;
  readonly acks: Pick<AckSender, 'acknowledgeFirst'>;
  readonly arrivals: Pick<Arrivals, 'end' | 'lateEnd'>;
  readonly scheduler: Pick<Scheduler, 'add'>;
  readonly cancellations: Pick<Cancellations, 'received' | 'added'>;
  readonly streams: Pick<AnswerStreams, 'of' | 'end'>;
  readonly reports: Pick<ProgressReports, 'start'>;
  readonly atMostOnce: boolean;
}

/** A message that a request brings. It is accepted when it is stored. */
interface Brought {
  readonly arrival: Arrival;
  readonly isStored: Promise<boolean>;
}

/** Starts the run of each message that was accepted. */
export class MessageRuns {
  readonly #options: MessageRunsOptions;

  constructor(options: MessageRunsOptions) {
    this.#options = options;
  }

  /** Handles a new message; `brought` is given when a request brought it. */
  start(message: InboundMessage, brought?: Brought): void {
    const { observer, scheduler, cancellations, run } = this.#options;
    if (message.method === 'cancel_task') {
      whenStored(brought, () => cancellations.received(message));
      return;
    }
    whenStored(brought, () => observer.received(message));
    scheduler.add(new MessageRun(this.#subjectOf(message, brought), run));
    whenStored(brought, () => cancellations.added(message));
  }

  /** Gives the platform the end of a message that a request had brought, because it also delivered it by the feed. */
  finishCopy(message: InboundMessage, { end }: KeptEnd): void {
    const { run, scheduler, state } = this.#options;
    const finish = (how: MessageEnd | null): void => void state.finishCopy(message.id, how);
    const { answer, error, state: word } = end;
    const failed = { outcome: 'failed', error: error ?? { message: GAVE_UP_TEXT } } as const;
    if (answer === null) {
      finish(word === 'unanswered' || word === 'canceled' ? { outcome: word } : failed);
      return;
    }
    const { messageId: _id, parts, ...rest } = answer;
    const reply = { ...rest, ...(parts === undefined ? {} : { parts: [...parts] }) };
    const subject: RunSubject = {
      message,
      progress: { ...NO_PROGRESS, outcome: { reply } },
      isRetried: true,
      isCallerKnown: true,
      isAnsweredByRequest: true,
      stream: new AnswerStream(),
      flush: async () => {},
      isAccepted: null,
      save: async () => {},
      answerWaits: () => true,
      acknowledgeFirst: null,
      lateEnd: () => null,
      finish,
      giveUp: async (letter) => {
        await state.addDeadLetter(letter);
        finish(failed);
      },
    };
    scheduler.add(new MessageRun(subject, run));
  }

  #subjectOf(message: InboundMessage, brought: Brought | undefined): RunSubject {
    const { state, arrivals, acks, streams, reports, atMostOnce } = this.#options;
    const stream = streams.of(message.id);
    const reporter = brought === undefined ? reports.start(message, stream) : null;
    // The outcome of a message that a request brought is stored when `Arrivals.reply` sends its answer.
    const save = (change: ProgressChange): Promise<boolean> =>
      state.saveProgress(message, change, brought !== undefined && change.outcome !== undefined);
    const finish = (end: MessageEnd | null): void => {
      reporter?.stop();
      streams.end(message.id);
      arrivals.end(message, end, (isReported) => state.finish(message, end, isReported));
    };
    return {
      message,
      progress: state.progressOf(message),
      isRetried: true,
      isCallerKnown: brought === undefined || message.source !== 'unknown',
      isAnsweredByRequest: brought === undefined,
      isAccepted: brought?.isStored ?? null,
      stream,
      flush: async () => reporter?.flush(),
      // At most once, nothing brings the message back, so nothing is kept for that.
      save: atMostOnce ? async () => {} : save,
      acknowledgeFirst: atMostOnce ? (signal) => acks.acknowledgeFirst(message, signal) : null,
      answerWaits: () => state.arrivals.answerWaits(message),
      lateEnd: (end) => arrivals.lateEnd(message, end),
      finish,
      giveUp: async (letter) => {
        await state.addDeadLetter(letter);
        finish({ outcome: 'failed', error: { message: GAVE_UP_TEXT, code: letter.errorCode } });
      },
    };
  }
}

function whenStored(brought: Brought | undefined, work: () => void): void {
  if (brought === undefined) work();
  else void brought.isStored.then((isStored) => (isStored ? work() : undefined));
}
