import type {
  InboundResult,
  InboundStream,
  MessageEnd,
  StreamStep,
} from '../../inbound-http/inbound-agent.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { WaitResult } from '../waiting-requests.ts';
import type { AnswerReader } from './answer-stream.ts';
import type { KeptText, KeptTexts } from './answer-streams.ts';

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

export interface RequestStreamOptions {
  readonly about: Pick<InboundStream, 'taskId' | 'messageId' | 'contextId' | 'answerId'>;
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
export class RequestStream implements InboundStream {
  readonly kind = 'stream';
  readonly taskId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly answerId: string;
  readonly at: string;
  readonly #options: RequestStreamOptions;
  readonly #stalled = new AbortController();
  #end: WaitResult | undefined;
  /** Where in the whole text the caller is, once the message has ended. */
  #placeInWhole: number | undefined;
  #lastTextAt: number;
  #caughtUpAt: number;
  readonly #kept: KeptText;
  #stallTimer: Timer | undefined;

  constructor(options: RequestStreamOptions) {
    const { about, clock, reader, end, kept, sender } = options;
    this.#options = options;
    ({
      taskId: this.taskId,
      messageId: this.messageId,
      contextId: this.contextId,
      answerId: this.answerId,
    } = about);
    this.at = new Date(clock.now()).toISOString();
    this.#lastTextAt = clock.monotonic();
    this.#caughtUpAt = this.#lastTextAt;
    const stream = this;
    this.#kept = {
      sender,
      get length() {
        return stream.#unread > MAX_PIECE ? stream.#length : 0;
      },
      get caughtUpAt() {
        return stream.#caughtUpAt;
      },
      disconnect: () => this.#disconnect(),
    };
    kept.add(this.#kept);
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

  async next(): Promise<StreamStep> {
    this.#stallTimer?.cancel();
    const step = await this.#nextStep();
    if (step.kind === 'end' || step.kind === 'closed') this.close();
    else if (this.#isTooLongBehind()) this.#disconnect();
    else this.#watch();
    return step;
  }

  close(): void {
    const { reader, kept, onClose } = this.#options;
    this.#stallTimer?.cancel();
    reader.leave();
    kept.delete(this.#kept);
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
  #stepOfEnd(end: MessageEnd): StreamStep {
    const whole = end.answer?.text ?? '';
    const place = this.#placeInWhole ?? this.#options.reader.place;
    const piece = whole.trim() === '' ? '' : pieceOf(whole, place);
    if (piece === '') return { kind: 'end', result: this.#ended(end) };
    this.#placeInWhole = place + piece.length;
    return { kind: 'text', text: piece };
  }

  #ended(end: MessageEnd): Exclude<InboundResult, { kind: 'refused' }> {
    const { taskId, messageId, contextId } = this;
    return { kind: 'ended', taskId, messageId, contextId, end };
  }

  #working(): Exclude<InboundResult, { kind: 'refused' }> {
    const { taskId, messageId, contextId } = this;
    const at = new Date(this.#options.clock.now()).toISOString();
    return { kind: 'working', taskId, messageId, contextId, at };
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
    if (this.#unread <= 1) this.#caughtUpAt = now;
    return !this.#options.isPush && now - this.#caughtUpAt >= MAX_BEHIND_MS;
  }

  #watch(): void {
    this.#stallTimer = this.#options.clock.setTimer(MAX_STALL_MS, () => this.#disconnect());
  }

  /** The message goes on; whoever reads may ask again. */
  #disconnect(): void {
    this.#stalled.abort();
    this.close();
  }
}

/** A piece of a text, without half of a surrogate pair at its end. */
function pieceOf(whole: string, from: number): string {
  const piece = whole.slice(from, from + MAX_PIECE);
  const isCut =
    (piece.charCodeAt(piece.length - 1) & 0xfc00) === 0xd800 && from + piece.length < whole.length;
  return isCut ? piece.slice(0, -1) : piece;
}
