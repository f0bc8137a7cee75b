import type {
  AboutMessage,
  InboundStream,
  MessageEnd,
  StreamStep,
} from '../../inbound-http/inbound-agent.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { WaitResult } from '../waiting-requests.ts';
import type { KeptText, KeptTexts } from './answer-stream.ts';
import { type AnswerReader, withoutHalfPair } from './answer-stream.ts';

/** Longest piece, in UTF-16 units. */
const MAX_PIECE = 64 * 1024;
const KEEP_ALIVE_MS = 15_000;
const MAX_SILENCE_MS = 300_000;
/** How long a caller may take for one piece. */
const MAX_STALL_MS = 30_000;
/** How long a caller may be behind without having had everything in between. */
const MAX_BEHIND_MS = 300_000;

const CLOSED: StreamStep = { kind: 'closed' };
const SILENCE: StreamStep = { kind: 'silence' };

export interface RequestStreamOptions extends AboutMessage {
  /** The message id of the answer. */
  readonly answerId: string;
  readonly clock: Clock;
  readonly reader: AnswerReader;
  /** The end of the message. */
  readonly end: Promise<WaitResult>;
  /** The platform takes a task for the answer, and an attempt for failed: it ends what it no longer waits for. */
  readonly isPush: boolean;
  /** Whose message it is. */
  readonly sender: string;
  readonly kept: KeptTexts;
  /** The caller no longer waits for the end. */
  readonly onClose: () => void;
}

/** The answer of one message, for one request. */
export class RequestStream implements InboundStream, KeptText {
  readonly kind = 'stream';
  readonly taskId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly answerId: string;
  readonly at: string;
  readonly sender: string;
  caughtUpAt: number;
  readonly #options: RequestStreamOptions;
  readonly #stalled = new AbortController();
  #end: WaitResult | undefined;
  /** Where in the whole text the caller is, once the message has ended. */
  #placeInWhole: number | undefined;
  #lastTextAt: number;
  #stallTimer: Timer | undefined;

  constructor(options: RequestStreamOptions) {
    const { taskId, messageId, contextId, answerId, clock, reader, end, kept, sender } = options;
    this.#options = options;
    this.taskId = taskId;
    this.messageId = messageId;
    this.contextId = contextId;
    this.answerId = answerId;
    this.at = new Date(clock.now()).toISOString();
    this.sender = sender;
    this.#lastTextAt = clock.monotonic();
    this.caughtUpAt = this.#lastTextAt;
    kept.add(this);
    void end.then((result) => {
      this.#end = result;
      reader.wake();
      kept.trim();
    });
    this.#watch();
  }

  get stalled(): AbortSignal {
    return this.#stalled.signal;
  }

  get length(): number {
    return this.#unread > MAX_PIECE ? this.#length : 0;
  }

  async next(): Promise<StreamStep> {
    this.#stallTimer?.cancel();
    const step = await this.#nextStep();
    if (step.kind === 'end' || step.kind === 'closed') this.close();
    else if (this.#isTooLongBehind()) this.disconnect();
    else this.#watch();
    return step;
  }

  close(): void {
    const { reader, kept, onClose } = this.#options;
    this.#stallTimer?.cancel();
    reader.leave();
    kept.delete(this);
    onClose();
  }

  async #nextStep(): Promise<StreamStep> {
    const { clock, reader, isPush } = this.#options;
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
          const isOver = !isPush && clock.monotonic() - this.#lastTextAt >= MAX_SILENCE_MS;
          const at = new Date(clock.now()).toISOString();
          return isOver ? { kind: 'end', result: { kind: 'working', ...this.#ids, at } } : SILENCE;
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
  #stepOfEnd(end: MessageEnd): StreamStep {
    const whole = end.answer?.text ?? '';
    const place = this.#placeInWhole ?? this.#options.reader.place;
    const to = place + MAX_PIECE;
    const piece = whole.trim() === '' ? '' : withoutHalfPair(whole.slice(place, to), to >= whole.length);
    if (piece === '') return { kind: 'end', result: { kind: 'ended', ...this.#ids, end } };
    this.#placeInWhole = place + piece.length;
    return { kind: 'text', text: piece };
  }

  get #ids(): AboutMessage {
    const { taskId, messageId, contextId } = this;
    return { taskId, messageId, contextId };
  }

  /** Of the text so far, or of the whole. */
  get #length(): number {
    const { reader } = this.#options;
    return this.#end?.kind === 'ended' ? (this.#end.end.answer?.text.length ?? 0) : reader.length;
  }

  get #unread(): number {
    return this.#length - (this.#placeInWhole ?? this.#options.reader.place);
  }

  #isTooLongBehind(): boolean {
    const now = this.#options.clock.monotonic();
    // Half of a surrogate pair waits for the other half.
    if (this.#unread <= 1) this.caughtUpAt = now;
    return !this.#options.isPush && now - this.caughtUpAt >= MAX_BEHIND_MS;
  }

  #watch(): void {
    this.#stallTimer = this.#options.clock.setTimer(MAX_STALL_MS, () => this.disconnect());
  }

  /** The message goes on; whoever reads may ask again. */
  disconnect(): void {
    this.#stalled.abort();
    this.close();
  }
}
