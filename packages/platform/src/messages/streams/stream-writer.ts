import {
  createBoundaryWrapper,
  type JsonObject,
  type MessageState,
  SSE_KEEP_ALIVE,
  StreamEvents,
  sseEvent,
  type TextStage,
  toA2a1StreamEvent,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import { type Clock, timestamp } from '../../time/clock.ts';
import type { EventResponse } from '../../waiting/event-response.ts';
import type { MessageRow } from '../message.store.ts';
import type { Outcome } from '../outcome/outcome.rules.ts';
import type { OutcomeReceipt, OutcomeWaiter, WaitEnd } from '../outcome/outcome-waiters.ts';
import type { ResponseForm } from '../outcome/response.rules.ts';
import { openEnd, type StreamedOutcome, toStreamedOutcome } from './streamed-answer.rules.ts';
import type { TextReader } from './text-reader.ts';

/** Longest text of one event, in UTF-16 units. */
const PIECE_LENGTH = 64 * 1024;
const KEEP_ALIVE_MS = 15_000;
/** A stream without new text for so long ends, in milliseconds. */
const SILENCE_MS = 300_000;

/** A message whose answer a client reads while it is made. */
export interface OpenedStream {
  readonly message: MessageRow;
  /** The state in which the stream begins. */
  readonly state: 'queued' | 'delivered';
  readonly reader: TextReader;
  readonly waiter: OutcomeWaiter;
  /** The outcome that there was before the stream began. */
  readonly known: WaitEnd | undefined;
  /** Whether anything is going to follow; a message that needs no answer has none. */
  readonly isFollowed: boolean;
  /** The state of the message by now, while it has not ended. */
  readState(): Promise<MessageState>;
  /** The outcome with an answer of so many bytes, as it is stored; undefined when there is no memory for it. */
  readOutcome(bytes: number): Promise<Outcome | undefined>;
}

export interface StreamWriterOptions {
  readonly clock: Clock;
  readonly opened: OpenedStream;
  readonly form: ResponseForm;
  /** The JSON-RPC id of the request. */
  readonly requestId: string | number | null;
  readonly response: EventResponse;
}

/** Writes the events of one answer to one client: the text as it grows, then what the outcome adds. */
export class StreamWriter {
  readonly #options: StreamWriterOptions;
  readonly #events: StreamEvents;
  readonly #reader: TextReader;
  #wrapper: TextStage | undefined;
  /** Whether the next piece of text is the first of another text than the one before. */
  #isAnew = false;
  #hasText = false;
  #end: WaitEnd | undefined;
  #isAwake = false;
  #wake: () => void = () => {
    this.#isAwake = true;
  };

  constructor(options: StreamWriterOptions) {
    this.#options = options;
    const { known, message, reader, waiter } = options.opened;
    const { id, message_id: messageId, context_id: contextId } = message;
    this.#events = new StreamEvents({
      taskId: id,
      messageId,
      contextId: contextId ?? '',
      answerId: `answer-${id}`,
    });
    this.#reader = reader;
    reader.wake = () => this.#wake();
    this.#end = known;
    void waiter.done.then((end) => {
      this.#end ??= end;
      this.#wake();
    });
  }

  /** Never rejects because of the client. */
  async run(): Promise<void> {
    const { opened, response } = this.#options;
    const { connection } = response;
    connection.onGone(() => {
      opened.waiter.end();
      this.#wake();
    });
    let receipt: OutcomeReceipt | undefined;
    try {
      await this.#write(this.#events.task(opened.state, timestamp(this.#options.clock)));
      if (!opened.isFollowed) opened.waiter.end();
      const end = await this.#follow();
      if (end.kind === 'outcome') receipt = end.receipt;
      const outcome = await this.#outcomeOf(end);
      await this.#finish(outcome);
      await connection.processPendingEvents();
      const hasOutcome = outcome !== undefined;
      connection.onResponseSent((isWritten) => receipt?.report(isWritten && hasOutcome));
      response.end();
    } catch (error) {
      receipt?.report(false);
      throw error;
    } finally {
      opened.waiter.end();
      this.#reader.leave();
    }
  }

  /** Writes the text while it grows, until there is an outcome or nothing new for too long. */
  async #follow(): Promise<WaitEnd> {
    const { clock, opened, response } = this.#options;
    let lastText = clock.monotonic();
    for (;;) {
      // The whole answer goes on where the text so far is read, which is then no longer needed.
      if (this.#end?.kind === 'outcome' && this.#end.state === 'answered') return this.#end;
      const { text, isAnew } = this.#reader.take(PIECE_LENGTH);
      if (isAnew) this.#beginAnew();
      if (text !== '' && !response.connection.gone) {
        await this.#writeText(text);
        lastText = clock.monotonic();
        continue;
      }
      if (this.#end !== undefined) return this.#end;
      if (await this.#sleep(KEEP_ALIVE_MS)) continue;
      if (clock.monotonic() - lastText >= SILENCE_MS) {
        opened.waiter.end();
        return opened.waiter.done;
      }
      await this.#send(SSE_KEEP_ALIVE);
    }
  }

  async #outcomeOf(end: WaitEnd): Promise<Outcome | undefined> {
    const { opened, response } = this.#options;
    if (end.kind !== 'outcome' || response.connection.gone) return undefined;
    return end.outcome ?? opened.readOutcome(end.bytes);
  }

  async #finish(outcome: Outcome | undefined): Promise<void> {
    const { clock, form, opened, response } = this.#options;
    if (response.connection.gone) return;
    const ending: StreamedOutcome =
      outcome === undefined
        ? openEnd(await opened.readState(), timestamp(clock))
        : toStreamedOutcome(opened.message, outcome, form);
    if (ending.text !== undefined) await this.#complete(ending.text);
    if (this.#isAnew) await this.#writeText('', true);
    const last = this.#wrapper?.end() ?? '';
    if (last !== '') await this.#write(this.#events.text(last));
    await this.#writeRest(ending);
    const { taskState } = ending;
    const event = this.#events.end(ending.end);
    if (taskState === undefined) return this.#write(event);
    await this.#write({ ...event, status: { ...(event.status as JsonObject), state: taskState } });
  }

  /** Writes what the whole text adds to what was written; from its beginning when it does not continue that. */
  async #complete(whole: string): Promise<void> {
    let { position } = this.#reader;
    if (position > 0 && !whole.startsWith(this.#reader.taken())) {
      this.#beginAnew();
      position = 0;
    }
    this.#reader.leave();
    while (position < whole.length) {
      const piece = whole.slice(position, endOfPiece(whole, position + PIECE_LENGTH));
      position += piece.length;
      await this.#writeText(piece, position === whole.length);
    }
  }

  #beginAnew(): void {
    this.#isAnew ||= this.#hasText;
    this.#hasText = false;
    this.#wrapper = undefined;
  }

  /** `isLast`: the text is complete, so the marker is closed with it. */
  async #writeText(piece: string, isLast = false): Promise<void> {
    if (!this.#hasText && this.#options.form.wraps) this.#wrapper = createBoundaryWrapper();
    const isAnew = this.#isAnew;
    this.#isAnew = false;
    this.#hasText = true;
    const wrapped = this.#wrapper?.push(piece) ?? piece;
    const shown = isLast ? wrapped + (this.#wrapper?.end() ?? '') : wrapped;
    if (isLast) this.#wrapper = undefined;
    if (isAnew) await this.#write(this.#events.restart(shown));
    else if (shown !== '') await this.#write(this.#events.text(shown));
  }

  async #writeRest({ parts, metadata }: StreamedOutcome): Promise<void> {
    if (parts.length === 0 && metadata === undefined) return;
    const { wraps } = this.#options.form;
    const given: { parts: JsonObject[]; metadata?: JsonObject } = {
      parts: [...parts],
      ...(metadata === undefined ? {} : { metadata }),
    };
    const shown = wraps ? wrapPeerAnswer({ result: given }).result : given;
    await this.#write(this.#events.rest(shown.parts, shown.metadata));
  }

  async #write(result: JsonObject): Promise<void> {
    const { form, requestId } = this.#options;
    const shown = form.caller === '1.0' ? toA2a1StreamEvent(result) : result;
    await this.#send(sseEvent({ jsonrpc: '2.0', id: requestId, result: shown }));
  }

  async #send(text: string): Promise<void> {
    const { response } = this.#options;
    await response.send(text, (isWaiting) => {
      this.#reader.isBlocked = isWaiting;
    });
  }

  /** True when there may be something new, false when the time is over. */
  #sleep(ms: number): Promise<boolean> {
    if (this.#isAwake) {
      this.#isAwake = false;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const wake = this.#wake;
      const wakeUp = (isNew: boolean) => {
        cancel();
        this.#wake = wake;
        resolve(isNew);
      };
      const cancel = this.#options.clock.schedule(ms, () => wakeUp(false));
      this.#wake = () => wakeUp(true);
    });
  }
}

/** Never between the halves of a surrogate pair, which not every client can join. */
function endOfPiece(text: string, end: number): number {
  const unit = text.charCodeAt(end - 1);
  const isHalf = end < text.length && unit >= 0xd800 && unit <= 0xdbff;
  return isHalf ? end - 1 : end;
}
