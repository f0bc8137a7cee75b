import {
  createBoundaryWrapper,
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessageView,
  messageStateOfTask,
  SSE_KEEP_ALIVE,
  type StreamEnd,
  StreamEvents,
  sseEvent,
  type TextStage,
  toA2a1StreamEvent,
  toA2a03Parts,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { FastifyReply } from 'fastify';
import type { PlatformContext } from '../../context.ts';
import type { MessageRow } from '../../database/schema.ts';
import { WRITTEN_BY_HANDLER } from '../../http/mount.ts';
import { openStreams } from '../../telemetry/telemetry.ts';
import { type Clock, timestamp } from '../../time/clock.ts';
import { EventResponse } from '../../waiting/event-response.ts';
import { agentTask, type Outcome, withoutOwnMetadata } from '../outcome.ts';
import {
  type ResponseForm,
  statusOfAgentTask,
  taskResponse,
  toReplyTask,
  toTaskResponse,
} from '../response.ts';
import type { OutcomeReceipt, WaitEnd } from '../waiters.ts';
import type { TextReader } from './answer-streams.ts';
import type { OpenedStream, StreamResult } from './message-streams.ts';

/** Longest text of one event, in UTF-16 units. */
const PIECE_LENGTH = 64 * 1024;
const KEEP_ALIVE_MS = 15_000;
/** A stream without new text for so long ends, in milliseconds. */
const SILENCE_MS = 300_000;

interface StreamRequest {
  readonly reply: FastifyReply;
  readonly view: MessageView;
  readonly form: ResponseForm;
  /** The JSON-RPC id of the request. */
  readonly requestId: string | number | null;
}

/** Writes the stream as the response to a request, in the background. */
export function respondWithStream(
  { clock, logger, shutdown }: Pick<PlatformContext, 'clock' | 'logger' | 'shutdown'>,
  { reply, view, form, requestId }: StreamRequest,
  result: StreamResult,
): typeof WRITTEN_BY_HANDLER {
  const response = new EventResponse(reply, { clock, shutdown });
  const opened = result.kind === 'stream' ? result.opened : undefined;
  const write = async () => {
    if (result.kind === 'stream') {
      return new StreamWriter({ clock, opened: result.opened, form, requestId, response }).run();
    }
    const { result: task } =
      result.kind === 'task'
        ? toTaskResponse(result.found, form, { hasAnswer: true, hasHistory: false })
        : toReplyTask(result.body, timestamp(clock), view, form);
    for (const event of eventsOfTask(isJsonObject(task) ? task : {}, form)) {
      await response.send(sseEvent({ jsonrpc: '2.0', id: requestId, result: event }));
    }
    response.end();
  };
  const count = opened === undefined ? 0 : 1;
  openStreams(count);
  void write()
    .catch((error: unknown) => {
      const fields = { requestId: reply.request.id, messageId: opened?.message.id, reason: String(error) };
      logger.error(fields, 'A stream failed');
      response.abort();
    })
    .then(() => response.closed)
    .finally(() => {
      openStreams(-count);
      result.release();
    });
  return WRITTEN_BY_HANDLER;
}

/** A task that goes on no more, and its last status. */
function eventsOfTask(given: JsonObject, { caller }: ResponseForm): JsonObject[] {
  const task = isJsonObject(given.task) ? given.task : given;
  const { id: taskId = '', contextId = '', status = {}, metadata = {} } = task;
  const last = { taskId, contextId, status, metadata };
  if (caller === '1.0') return [{ task }, { statusUpdate: last }];
  return [task, { kind: 'status-update', ...last, final: true }];
}

interface StreamWriterOptions extends Pick<StreamRequest, 'form' | 'requestId'> {
  readonly clock: Clock;
  readonly opened: OpenedStream;
  readonly response: EventResponse;
}

/** Writes the events of one answer to one client: the text as it grows, then what the outcome adds. */
class StreamWriter {
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
    const { text, parts, metadata, end, taskState }: StreamedOutcome =
      outcome === undefined
        ? { end: { state: await opened.readState(), at: timestamp(clock) } }
        : toStreamedOutcome(opened.message, outcome, form);
    if (text !== undefined) await this.#complete(text);
    if (this.#isAnew) await this.#writeText('', true);
    const last = this.#wrapper?.end() ?? '';
    if (last !== '') await this.#write(this.#events.text(last));
    if (parts?.length || metadata !== undefined) await this.#writeRest(parts ?? [], metadata);
    const event = this.#events.end(end);
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

  async #writeRest(parts: readonly JsonObject[], metadata: JsonObject | undefined): Promise<void> {
    const { wraps } = this.#options.form;
    const given = { parts: [...parts], ...(metadata === undefined ? {} : { metadata }) };
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

/** An outcome as the last events of a stream say it, in the form of A2A 0.3. The text and the rest are not wrapped. */
interface StreamedOutcome {
  /** The whole text of the answer; undefined when there is no answer. */
  readonly text?: string;
  /** What the answer has besides its text. */
  readonly parts?: readonly JsonObject[];
  readonly metadata?: JsonObject | undefined;
  readonly end: StreamEnd;
  /** The A2A state of a task of the agent that has not completed, although the message is answered. */
  readonly taskState?: string | undefined;
}

/** What the last events of a stream say. Words of the agent in `end` are wrapped where the form wraps. */
function toStreamedOutcome(message: MessageRow, outcome: Outcome, form: ResponseForm): StreamedOutcome {
  const { state, at } = outcome;
  if (outcome.state !== 'answered') {
    const { result } = taskResponse(message, outcome, outcome, form);
    const { status, metadata } = objectIn(result) ?? {};
    const said = objectIn(objectIn(status)?.message);
    return { end: { state, at, message: said, code: wordIn(objectIn(metadata)?.code) } };
  }
  const answer = withoutOwnMetadata(outcome.answer);
  const task = agentTask(answer);
  const metadata = metadataOf(answer);
  if (task === undefined || messageStateOfTask({ status: task.status ?? null }) === 'answered') {
    return { ...contentOf(answer), metadata, end: { state, at } };
  }
  // What its status says is in the last event, and only what it has made is its answer.
  const { state: taskState, message: said } = statusOfAgentTask(message, task, form);
  const made = contentOf({ result: { artifacts: task.artifacts ?? [] } });
  return { ...made, metadata, end: { state, at, message: objectIn(said) }, taskState: wordIn(taskState) };
}

function contentOf(answer: JsonObject): { readonly text: string; readonly parts: readonly JsonObject[] } {
  const parts = toA2a03Parts(extractParts(answer)).filter((part) => part.kind !== 'text');
  return { text: extractAnswerText(answer), parts };
}

/** The metadata of an answer; undefined when it has none. */
function metadataOf({ result }: JsonObject): JsonObject | undefined {
  const given = objectIn(result) ?? {};
  const owner = objectIn(given.message) ?? objectIn(given.task) ?? given;
  const metadata = objectIn(owner.metadata) ?? {};
  return Object.keys(metadata).length > 0 ? metadata : undefined;
}

function objectIn(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

function wordIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
