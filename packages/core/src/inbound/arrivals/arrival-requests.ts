import { readTraceContext } from '@molecule-ai/telemetry';
import type { PlatformClient } from '../../client/platform-client.ts';
import { replyIdOf } from '../../client/reply.ts';
import type {
  ArrivalEnd,
  InboundCaller,
  InboundRequest,
  InboundResult,
  InboundStream,
} from '../../inbound-http/inbound-agent.ts';
import type { Clock } from '../../time/clock.ts';
import type { InboundState } from '../inbound-state.ts';
import { AnswerStream } from '../streams/answer-stream.ts';
import type { AnswerStreams } from '../streams/answer-streams.ts';
import { RequestStream } from '../streams/request-stream.ts';
import { type Arrival, askedKeys, type KeptEnd } from './arrival.ts';
import { readArrival } from './arrival-message.ts';
import {
  aboutOf,
  CLOSED,
  CONFLICT,
  EXPIRED_ANSWER,
  ended,
  idsOf,
  isOther,
  notAccepting,
  STARTING,
  unanswered,
  working,
} from './arrival-results.ts';
import type { WholeRoom } from './arrival-room.ts';
import type { Arrivals } from './arrivals.ts';
import { type Exchanges, NO_HOLD_LIMIT } from './exchanges.ts';

export interface ArrivalRequestsOptions {
  readonly client: Pick<PlatformClient, 'workspaceId' | 'capabilities' | 'observeReply'>;
  readonly clock: Clock;
  readonly arrivals: Pick<Arrivals, 'start' | 'forget' | 'running'>;
  readonly exchanges: Exchanges;
  readonly streams: AnswerStreams;
  readonly state: Pick<InboundState, 'arrivals' | 'isOpen' | 'outcomes'>;
  /** The room for messages that are read, or brought by requests. */
  readonly room: () => WholeRoom;
  /** Ends the handling of a row; false when it is not handled. */
  readonly onCanceled: (row: string) => boolean;
}

/** A message that is in progress, and what the request waits for. */
interface Attached<Waiting> {
  readonly kind: 'attached';
  readonly arrival: Arrival;
  readonly waiting: Waiting;
}

/** The requests that bring messages, or ask about them. A message counts as accepted when it is stored. */
export class ArrivalRequests {
  readonly #options: ArrivalRequestsOptions;
  #isOpen = false;
  #hasOpened = false;

  constructor(options: ArrivalRequestsOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#hasOpened = true;
    this.#isOpen = true;
  }

  /** Accepts no more messages. Those in progress keep their requests. */
  close(): void {
    this.#isOpen = false;
  }

  /** Resolves with the end of the message, or with what is known when the request no longer waits. Never rejects. */
  async receive(request: InboundRequest): Promise<InboundResult> {
    const { exchanges } = this.#options;
    const attached = await this.#attach(request, (row) => ({ end: exchanges.wait(row, request) }));
    if (attached.kind !== 'attached') return attached;
    const { arrival, waiting } = attached;
    const result = await waiting.end;
    if (result.kind === 'ended') return ended(aboutOf(arrival), result.end);
    if (result.kind === 'left') return this.#working(arrival);
    return notAccepting('The agent stopped before the message was finished.');
  }

  /** The stream of the answer, also of one that was given before; a result where there is none. Never rejects. */
  async stream({
    signal,
    ...request
  }: Omit<InboundRequest, 'holdMs'>): Promise<InboundStream | InboundResult> {
    let opened: InboundStream | undefined;
    const attached = await this.#attach(request, (row, arrival) => {
      opened = this.#openStream(row, arrival, signal);
      return opened;
    });
    if (attached.kind === 'attached') return attached.waiting;
    opened?.close();
    return attached.kind === 'ended' ? this.#streamOf(attached, request.caller) : attached;
  }

  /** The stream of a message that this caller sent before; `null` for any other. */
  resubscribe(caller: InboundCaller, taskId: string, signal: AbortSignal): InboundStream | null {
    const arrival = this.#options.arrivals.running.of(caller, taskId);
    if (arrival !== undefined) return this.#openStream(arrival.message.id, arrival, signal);
    const found = this.find(caller, taskId);
    return found?.kind === 'ended' ? this.#streamOf(found, caller) : null;
  }

  /**
   * Accepts a message, or finds it in progress; `wait` is called with the row that is handled, before it is handled. A result
   * where there is nothing to wait for.
   */
  async #attach<Waiting>(
    { caller, envelope, traceparent, tracestate }: Omit<InboundRequest, 'holdMs' | 'signal'>,
    wait: (row: string, arrival: Arrival) => Waiting,
  ): Promise<Attached<Waiting> | InboundResult> {
    const { client, arrivals, state, exchanges, streams, room } = this.#options;
    if (!this.#isOpen) return this.#hasOpened ? CLOSED : STARTING;
    const read = readArrival(caller, envelope, {
      workspaceId: client.workspaceId,
      hasCheckedAnswers: client.capabilities.has('questions'),
      receivedAt: this.#now(),
      trace: readTraceContext(traceparent, tracestate),
    });
    if (read.kind === 'refused') return read;
    const { arrival } = read;
    const known = state.arrivals.find(arrival.message);
    if (known.kind === 'finished') return this.#repeated(arrival, known.kept);
    if (known.kind === 'pending') {
      if (isOther(arrival, known.arrival)) return CONFLICT;
      return { kind: 'attached', arrival, waiting: wait(known.row, arrival) };
    }
    if (client.observeReply(arrival.message)) return ended(aboutOf(arrival), unanswered(this.#now()));
    if (!state.arrivals.hasRoom(arrival, room())) {
      return notAccepting('The agent has as many messages as it can take, in all or from this sender.');
    }
    const { id } = arrival.message;
    streams.of(id);
    const waiting = wait(id, arrival);
    const isStored = state.arrivals.add(arrival);
    // Begins at once, so that its first attempt is stored with it.
    arrivals.start(arrival, isStored);
    if (await isStored) return { kind: 'attached', arrival, waiting };
    arrivals.forget(id);
    exchanges.withdraw(id);
    streams.end(id);
    return notAccepting('The agent cannot store messages at the moment.');
  }

  #openStream(row: string, arrival: Arrival, signal: AbortSignal): InboundStream {
    const { client, clock, exchanges, streams } = this.#options;
    const closing = new AbortController();
    const stream = new RequestStream({
      about: { ...idsOf(arrival), answerId: replyIdOf(client.workspaceId, row) },
      clock,
      reader: (streams.find(row) ?? new AnswerStream()).read(),
      end: exchanges.wait(row, { holdMs: NO_HOLD_LIMIT, signal: closing.signal }),
      isPush: arrival.use === 'push',
      sender: arrival.message.sourceId.toLowerCase(),
      kept: streams.kept,
      onClose: () => closing.abort(),
    });
    if (signal.aborted) stream.close();
    else signal.addEventListener('abort', () => stream.close(), { once: true });
    return stream;
  }

  /** The stream of an answer that is whole. */
  #streamOf(result: Extract<InboundResult, { kind: 'ended' }>, caller: InboundCaller): InboundStream {
    const { taskId, messageId, contextId, end } = result;
    return new RequestStream({
      about: { taskId, messageId, contextId, answerId: end.answer?.messageId ?? messageId },
      clock: this.#options.clock,
      reader: new AnswerStream().read(),
      end: Promise.resolve({ kind: 'ended', end }),
      isPush: caller.use === 'push',
      sender: caller.subject.toLowerCase(),
      kept: this.#options.streams.kept,
      onClose: () => {},
    });
  }

  /** The state of a message that this caller sent; `null` for any other. */
  find(caller: InboundCaller, taskId: string): InboundResult | null {
    const arrival = this.#options.arrivals.running.of(caller, taskId);
    if (arrival !== undefined) return this.#working(arrival);
    const kept = this.#options.state.arrivals.findEnd(askedKeys(caller, taskId));
    return kept === undefined ? null : ended(kept, kept.end);
  }

  /** Ends a message that this caller sent; the platform may name any row. */
  cancel(caller: InboundCaller, taskId: string): InboundResult | null {
    const { onCanceled } = this.#options;
    const arrival = this.#options.arrivals.running.of(caller, taskId);
    const end: ArrivalEnd = { state: 'canceled', at: this.#now(), answer: null, error: null };
    if (arrival !== undefined) {
      return onCanceled(arrival.message.id) ? ended(aboutOf(arrival), end) : this.#working(arrival);
    }
    const kept = this.#options.state.arrivals.findEnd(askedKeys(caller, taskId));
    if (kept !== undefined) return ended(kept, kept.end);
    if (caller.use !== 'push' || !onCanceled(taskId)) return null;
    return { kind: 'ended', taskId, messageId: '', contextId: '', end };
  }

  #repeated(arrival: Arrival, kept: KeptEnd | undefined): InboundResult {
    const { state } = this.#options;
    if (kept !== undefined) {
      const isSame = kept.digest === '' || arrival.digest === '' || kept.digest === arrival.digest;
      return isSame ? ended({ ...kept, use: arrival.use, row: arrival.message.id }, kept.end) : CONFLICT;
    }
    const { id } = arrival.message;
    // It was read from the feed, and the platform has not taken its end yet.
    if (arrival.use === 'push' && (state.isOpen(id) || state.outcomes.has(id))) return this.#working(arrival);
    return EXPIRED_ANSWER;
  }

  #working(arrival: Arrival): InboundResult {
    return working(arrival, this.#now());
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
