import { readTraceContext } from '@molecule-ai/telemetry';
import { replyIdOf } from '../client/reply.ts';
import type {
  AboutMessage,
  InboundCaller,
  InboundRefusal,
  InboundRequest,
  InboundResult,
  InboundStream,
} from '../inbound-http/inbound-agent.ts';
import { parseClaims } from '../peers/sent-directly.ts';
import { readArrival } from './arrival-message.ts';
import type { WholeRoom } from './arrival-room.ts';
import type { Ledger, OpenMessage } from './ledger.ts';
import type { Arrival, EndedMessage } from './ledger-lines.ts';
import { endOf, isoTime } from './life.ts';
import type { InboundParts } from './message-home.ts';
import { AnswerStream } from './streams/answer-stream.ts';
import { RequestStream } from './streams/request-stream.ts';
import { NO_HOLD_LIMIT } from './waiting-requests.ts';

/** How long a caller waits before it sends a message again that was not accepted, in seconds. */
const RETRY_SECONDS = 5;
const STARTING_SECONDS = 1;

/** What handles the messages that requests bring. */
export interface RequestInbox {
  /** The room for messages that are read, or brought by requests. */
  readonly room: WholeRoom;
  /** Handles a new message, as soon as it is stored. */
  begin(record: OpenMessage): void;
  /** Ends the handling of a row; false when it is not handled. */
  cancel(row: string): boolean;
}

/** A message that is in progress, and what the request waits for. */
interface Attached<Waiting> {
  readonly kind: 'attached';
  readonly arrival: Arrival;
  readonly record: OpenMessage;
  readonly waiting: Waiting;
}

/** The requests that bring messages, or ask about them. A message counts as accepted when it is stored. */
export class Requests {
  readonly #parts: InboundParts;
  readonly #inbox: RequestInbox;
  #state: 'starting' | 'open' | 'closed' = 'starting';

  constructor(parts: InboundParts, inbox: RequestInbox) {
    this.#parts = parts;
    this.#inbox = inbox;
  }

  open(): void {
    this.#state = 'open';
  }

  /** Accepts no more messages. Those in progress keep their requests. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
  }

  /** Resolves with the end of the message, or with what is known when the request no longer waits. Never rejects. */
  async receive(request: InboundRequest): Promise<InboundResult> {
    const { ledger } = this.#parts;
    const attached = await this.#attach(request, ({ waiting }) => waiting.wait(request));
    if (attached.kind !== 'attached') return attached;
    const result = await attached.waiting;
    if (result.kind === 'ended') return { kind: 'ended', ...idsOf(attached.arrival), end: result.end };
    if (result.kind === 'left') return (await ledger.save()) ? this.#working(attached.arrival) : NOT_STORED;
    return (await ledger.stored(attached.record)) ? STOPPED : NOT_STORED;
  }

  /** The stream of the answer, also of one that was given before; a result where there is none. Never rejects. */
  async stream({
    signal,
    ...request
  }: Omit<InboundRequest, 'holdMs'>): Promise<InboundStream | InboundResult> {
    const { ledger } = this.#parts;
    const attached = await this.#attach(request, (record, arrival) => {
      return this.#openStream(record, arrival, signal);
    });
    if (attached.kind === 'ended') return this.#streamOf(attached, request.caller);
    if (attached.kind !== 'attached') return attached;
    const { record, waiting } = attached;
    if ((await ledger.stored(record)) && (await ledger.save())) return waiting;
    waiting.close();
    return NOT_STORED;
  }

  /** The stream of a message that this caller sent before; `null` for any other. */
  async resubscribe(
    caller: InboundCaller,
    taskId: string,
    signal: AbortSignal,
  ): Promise<InboundStream | null> {
    const known = await this.#sentBy(caller, taskId);
    if (known?.kind === 'open') return this.#openStream(known.record, known.record as Arrival, signal);
    return known?.ended === undefined ? null : this.#streamOf(resultOf(known.ended), caller);
  }

  /** The state of a message that this caller sent; `null` for any other. */
  async find(caller: InboundCaller, taskId: string): Promise<InboundResult | null> {
    const known = await this.#sentBy(caller, taskId);
    if (known?.kind === 'open') return this.#working(known.record as Arrival);
    return known?.ended === undefined ? null : resultOf(known.ended);
  }

  /** Ends a message that this caller sent; the platform may name any row. */
  async cancel(caller: InboundCaller, taskId: string): Promise<InboundResult | null> {
    const known = await this.#sentBy(caller, taskId);
    const end = endOf('canceled', this.#parts.clock.now());
    if (known?.kind === 'open') {
      const arrival = known.record as Arrival;
      const isCanceled = this.#inbox.cancel(arrival.message.id);
      return isCanceled ? { kind: 'ended', ...idsOf(arrival), end } : this.#working(arrival);
    }
    if (known?.ended !== undefined) return resultOf(known.ended);
    if (caller.use !== 'push' || !this.#inbox.cancel(taskId)) return null;
    return { kind: 'ended', taskId, messageId: '', contextId: '', end };
  }

  /**
   * Accepts a message, or finds it in progress; `wait` is called with its record before it is handled. A result
   * where there is nothing to wait for.
   */
  async #attach<Waiting>(
    { caller, envelope, traceparent, tracestate }: Omit<InboundRequest, 'holdMs' | 'signal'>,
    wait: (record: OpenMessage, arrival: Arrival) => Waiting,
  ): Promise<Attached<Waiting> | InboundResult> {
    const { client, clock, ledger } = this.#parts;
    const options = {
      workspaceId: client.workspaceId,
      hasCheckedAnswers: client.capabilities.has('questions'),
      receivedAt: isoTime(clock.now()),
      trace: readTraceContext(traceparent, tracestate),
    };
    const read = await parseClaims(
      (hasSent) => readArrival(caller, envelope, { ...options, hasSent }),
      () => client.sentMessages(),
    );
    if (this.#state !== 'open') return this.#state === 'closed' ? CLOSED : STARTING;
    if (read.kind === 'refused') return read;
    const { arrival } = read;
    const known = ledger.known(arrival.message);
    if (known.kind === 'ended') {
      await ledger.save();
      return this.#repeated(arrival, known.ended);
    }
    if (known.kind === 'open') {
      const { record } = known;
      if (isOther(arrival, record)) return CONFLICT;
      return { kind: 'attached', arrival, record, waiting: wait(record, arrival) };
    }
    if (client.observeReply(arrival.message)) {
      return { kind: 'ended', ...idsOf(arrival), end: endOf('unanswered', clock.now()) };
    }
    if (!ledger.room.hasRoom(arrival, this.#inbox.room)) {
      return notAccepting('The agent has as many messages as it can take, in all or from this sender.');
    }
    const record = ledger.add(arrival, known.key);
    const waiting = wait(record, arrival);
    this.#inbox.begin(record);
    return { kind: 'attached', arrival, record, waiting };
  }

  /** What is known of a message when that is stored: a response must be true after a crash. */
  async #sentBy(caller: InboundCaller, taskId: string): Promise<ReturnType<Ledger['sentBy']>> {
    const { ledger } = this.#parts;
    await ledger.save();
    const known = ledger.sentBy(caller, taskId);
    const isKnown = known?.kind !== 'open' || (await ledger.stored(known.record));
    return isKnown ? known : null;
  }

  #openStream(record: OpenMessage, arrival: Arrival, signal: AbortSignal): InboundStream {
    const { client, clock, streams } = this.#parts;
    const closing = new AbortController();
    const stream = new RequestStream({
      ...idsOf(arrival),
      answerId: replyIdOf(client.workspaceId, record.message.id),
      clock,
      reader: streams.of(record).read(),
      end: record.waiting.wait({ holdMs: NO_HOLD_LIMIT, signal: closing.signal }),
      isPush: arrival.via === 'push',
      sender: arrival.message.sourceId.toLowerCase(),
      kept: streams.kept,
      onClose: () => closing.abort(),
    });
    if (signal.aborted) stream.close();
    else signal.addEventListener('abort', () => stream.close(), { once: true });
    return stream;
  }

  /** The stream of an answer that is whole. */
  #streamOf(
    result: Extract<InboundResult, { kind: 'ended' }>,
    { use, subject }: InboundCaller,
  ): InboundStream {
    const { clock, streams } = this.#parts;
    const { taskId, messageId, contextId, end } = result;
    return new RequestStream({
      taskId,
      messageId,
      contextId,
      answerId: end.answer?.messageId ?? messageId,
      clock,
      reader: new AnswerStream().read(),
      end: Promise.resolve(result),
      isPush: use === 'push',
      sender: subject.toLowerCase(),
      kept: streams.kept,
      onClose: () => {},
    });
  }

  #repeated(arrival: Arrival, ended: EndedMessage | undefined): InboundResult {
    const { ledger } = this.#parts;
    const { id } = arrival.message;
    if (ended !== undefined) {
      if (isOther(arrival, ended)) return CONFLICT;
      return resultOf({ ...ended, via: arrival.via, row: id });
    }
    // It was read from the feed, and the platform has not taken its end yet.
    const isReported = !ledger.isUnacknowledged(id) && !ledger.outcomes.has(id);
    return arrival.via === 'push' && !isReported ? this.#working(arrival) : EXPIRED_ANSWER;
  }

  /** The message was accepted and has not ended. */
  #working(arrival: Arrival): InboundResult {
    return { kind: 'working', ...idsOf(arrival), at: isoTime(this.#parts.clock.now()) };
  }
}

/** The ids of a message for whoever sent it. */
function idsOf({ message, via }: Arrival): AboutMessage {
  const { id, messageId, contextId } = message;
  return { taskId: via === 'push' ? id : messageId, messageId, contextId };
}

function resultOf({ row, messageId, contextId, via, end }: EndedMessage) {
  return { kind: 'ended', taskId: via === 'push' ? row : messageId, messageId, contextId, end } as const;
}

/** Whether it is another message than the known one. */
function isOther({ digest }: Arrival, known: Pick<Arrival, 'digest'>): boolean {
  return digest !== '' && known.digest !== '' && digest !== known.digest;
}

const CONFLICT = refused({
  status: 409,
  code: 'message_id_conflict',
  message: 'The messageId was used before with another message.',
  hint: 'Use a new messageId.',
});

const EXPIRED_ANSWER = refused({
  status: 410,
  code: 'answer_expired',
  message: 'The message was handled before, and its answer is no longer kept.',
});

const STOPPED = notAccepting('The agent stopped before the message was finished.');
const NOT_STORED = notAccepting('The agent cannot store messages at the moment.');
const CLOSED = notAccepting('The agent does not accept messages at the moment.');
/** The platform pushes what it has stored as soon as the agent has registered, a moment before the agent runs. */
const STARTING = notAccepting('The agent is starting.', STARTING_SECONDS);

function notAccepting(message: string, retryAfterSeconds = RETRY_SECONDS): InboundResult {
  return refused({ status: 503, code: 'not_accepting', message, retryAfterSeconds });
}

function refused(refusal: InboundRefusal): InboundResult {
  return { kind: 'refused', refusal };
}
