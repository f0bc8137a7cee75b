import type {
  ArrivalEnd,
  InboundResult,
  InboundStream,
  StreamStep,
} from '../../inbound-http/inbound-agent.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { ExchangeResult } from '../arrivals/exchanges.ts';
import type { AnswerReader } from './answer-stream.ts';

/** Longest piece, in UTF-16 units. */
const MAX_PIECE = 64 * 1024;
const KEEP_ALIVE_MS = 15_000;
const MAX_SILENCE_MS = 300_000;
/** How long a caller may take for one piece. */
const MAX_STALL_MS = 30_000;

const CLOSED: StreamStep = { kind: 'closed' };
const SILENCE: StreamStep = { kind: 'silence' };

export interface RequestStreamOptions {
  readonly about: Pick<InboundStream, 'taskId' | 'messageId' | 'contextId' | 'answerId'>;
  readonly clock: Clock;
  readonly reader: AnswerReader;
  /** The end of the message. */
  readonly end: Promise<ExchangeResult>;
  /** Whether it ends, as `working`, after five minutes without text. */
  readonly endsInSilence: boolean;
  /** The caller no longer waits for the end. */
  readonly onClose: () => void;
}

/** The answer of one message, for one request. */
export class RequestStream implements InboundStream {
  readonly kind = 'stream';
  readonly taskId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly answerId: string;
  readonly at: string;
  readonly #options: RequestStreamOptions;
  readonly #stalled = new AbortController();
  #end: ExchangeResult | undefined;
  /** Where in the whole text the caller is, once the message has ended. */
  #placeInWhole: number | undefined;
  #lastTextAt: number;
  #stallTimer: Timer | undefined;

  constructor(options: RequestStreamOptions) {
    const { about, clock, reader, end } = options;
    this.#options = options;
    ({
      taskId: this.taskId,
      messageId: this.messageId,
      contextId: this.contextId,
      answerId: this.answerId,
    } = about);
    this.at = new Date(clock.now()).toISOString();
    this.#lastTextAt = clock.monotonic();
    void end.then((result) => {
      this.#end = result;
      reader.wake();
    });
    this.#watch();
  }

  get stalled(): AbortSignal {
    return this.#stalled.signal;
  }

  async next(): Promise<StreamStep> {
    this.#stallTimer?.cancel();
    const step = await this.#nextStep();
    if (step.kind === 'end' || step.kind === 'closed') this.close();
    else this.#watch();
    return step;
  }

  close(): void {
    this.#stallTimer?.cancel();
    this.#options.reader.leave();
    this.#options.onClose();
  }

  async #nextStep(): Promise<StreamStep> {
    const { clock, reader, endsInSilence } = this.#options;
    let isSilent = false;
    let timer: Timer | undefined;
    try {
      for (;;) {
        const changed = reader.changed();
        if (reader.hasLeft) return CLOSED;
        if (this.#end?.kind === 'ended') return this.#stepOfEnd(this.#end.end);
        const text = await reader.take(MAX_PIECE);
        if (text !== '') {
          this.#lastTextAt = clock.monotonic();
          return { kind: 'text', text };
        }
        if (this.#end?.kind === 'withdrawn' || this.#end?.kind === 'left') return CLOSED;
        if (isSilent) {
          const isOver = endsInSilence && clock.monotonic() - this.#lastTextAt >= MAX_SILENCE_MS;
          return isOver ? { kind: 'end', result: this.#working() } : SILENCE;
        }
        timer ??= clock.setTimer(KEEP_ALIVE_MS, () => {
          isSilent = true;
          reader.wake();
        });
        await changed;
      }
    } finally {
      timer?.cancel();
    }
  }

  /** The rest of the answer, in pieces. It begins with what was taken. */
  #stepOfEnd(end: ArrivalEnd): StreamStep {
    const whole = end.answer?.text ?? '';
    const place = this.#placeInWhole ?? this.#options.reader.place;
    const piece = whole.trim() === '' ? '' : pieceOf(whole, place);
    if (piece === '') return { kind: 'end', result: this.#ended(end) };
    this.#placeInWhole = place + piece.length;
    return { kind: 'text', text: piece };
  }

  #ended(end: ArrivalEnd): Exclude<InboundResult, { kind: 'refused' }> {
    const { taskId, messageId, contextId } = this;
    return { kind: 'ended', taskId, messageId, contextId, end };
  }

  #working(): Exclude<InboundResult, { kind: 'refused' }> {
    const { taskId, messageId, contextId } = this;
    const at = new Date(this.#options.clock.now()).toISOString();
    return { kind: 'working', taskId, messageId, contextId, at };
  }

  #watch(): void {
    this.#stallTimer = this.#options.clock.setTimer(MAX_STALL_MS, () => {
      this.#stalled.abort();
      this.close();
    });
  }
}

/** A piece of a text, without half of a surrogate pair at its end. */
function pieceOf(whole: string, from: number): string {
  const piece = whole.slice(from, from + MAX_PIECE);
  const isCut =
    (piece.charCodeAt(piece.length - 1) & 0xfc00) === 0xd800 && from + piece.length < whole.length;
  return isCut ? piece.slice(0, -1) : piece;
}
