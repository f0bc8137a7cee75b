import { isEnded, type ReplyAccepted, type ReplyIgnored } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { MessageAcceptance } from '../accept/accept-message.service.ts';
import type { IncomingMessage } from '../accept/acceptance.rules.ts';
import { isHeld } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import { messageStateOf, storedOutcome } from '../outcome/outcome.rules.ts';
import type { OutcomeRecorder } from '../outcome/outcome-recorder.ts';
import { NO_RECEIPT, type OutcomeWaiters } from '../outcome/outcome-waiters.ts';
import type { FoundTask } from '../outcome/task-response.rules.ts';
import { type TaskLookup, type TaskReference, taskIdOf } from '../task-lookup.ts';
import type { AnswerStreams } from './answer-streams.ts';
import { type StreamPlace, StreamPlaces } from './stream-places.ts';
import type { OpenedStream } from './stream-writer.ts';

/** What a client reads that asks for a stream. Release the place when the client has read it. */
export type StreamResult = { readonly place: StreamPlace } & (
  | { readonly kind: 'stream'; readonly opened: OpenedStream }
  /** The message was itself an answer. */
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  /** The message has an outcome. */
  | { readonly kind: 'task'; readonly found: FoundTask }
);

export interface MessageStreamsOptions extends Pick<PlatformContext, 'bus'> {
  readonly acceptance: MessageAcceptance;
  readonly lookup: TaskLookup;
  readonly outcomes: OutcomeRecorder;
  readonly store: MessageStore;
  readonly streams: AnswerStreams;
  readonly waiters: OutcomeWaiters;
}

/** Opens the streams of messages for those who send them, and for those who ask for one later. */
export class MessageStreams {
  readonly #options: MessageStreamsOptions;
  readonly #places = new StreamPlaces();
  readonly #unsubscribe: () => void;

  constructor(options: MessageStreamsOptions) {
    this.#options = options;
    const { bus, outcomes, streams } = options;
    outcomes.onEnd(async (unit, { id }) => {
      if (streams.find(id) !== undefined) unit.afterCommit(() => streams.end(id));
    });
    this.#unsubscribe = bus.subscribe(({ type, workspaceId }) => {
      if (type === 'WORKSPACE_REMOVED' && workspaceId !== null) this.#places.remove(workspaceId);
    });
  }

  /** Stores a message and opens its stream; a repeat reads the stream of the first. @throws HttpError 429 `rate_limited` */
  send(incoming: IncomingMessage): Promise<StreamResult> {
    const { callerId, targetId } = incoming;
    return this.#inPlace(callerId, targetId, async (place) => {
      let opened: OpenedStream | undefined;
      const accepted = await this.#options.acceptance.accept(incoming, (row, plan) => {
        const isFollowed = incoming.message.view.expectsAnswer;
        opened = this.#open(row, true, { isFollowed, isReached: isHeld(plan, incoming.message.view) });
      });
      if (accepted.kind === 'reply') return { kind: 'reply', body: accepted.body, place };
      // Otherwise it is a repeat, or has ended at once.
      return { kind: 'stream', opened: opened ?? (await this.#openStored(accepted.row)), place };
    });
  }

  /**
   * Opens the stream of a message that was sent before. @throws HttpError 404 `message_not_found`, 409
   * `message_id_conflict`, 429 `rate_limited`
   */
  resume(task: TaskReference): Promise<StreamResult> {
    const { callerId, workspaceId, reference } = task;
    return this.#inPlace(callerId, workspaceId, async (place) => {
      const { lookup, store } = this.#options;
      const sent = await lookup.find(task);
      const latest = await lookup.findLatest(sent);
      const isCaller = callerId !== null || latest.source_id === null;
      const opened = await this.#openStored(latest, isCaller);
      if (opened.known === undefined || opened.known.receipt !== NO_RECEIPT)
        return { kind: 'stream', opened, place };
      abandon(opened);
      const message = await store.withAnswer(opened.message);
      return { kind: 'task', found: { id: taskIdOf(sent, reference), message }, place };
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  async #inPlace(
    callerId: string | null,
    targetId: string,
    open: (place: StreamPlace) => Promise<StreamResult>,
  ): Promise<StreamResult> {
    const place = this.#places.take(callerId, targetId);
    try {
      const result = await open(place);
      if (result.kind === 'stream') place.onRemoved(() => result.opened.waiter.end());
      return result;
    } catch (error) {
      place.release();
      throw error;
    }
  }

  /** Registers before reading the row, so that no commit is missed. */
  async #openStored(message: MessageRow, isCaller = true): Promise<OpenedStream> {
    const opened = this.#open(message, isCaller, { isFollowed: true, isReached: false });
    const current = await this.#options.store.findWithAnswer(message.id).catch((error: unknown) => {
      abandon(opened);
      throw error;
    });
    const outcome = current && storedOutcome(current);
    if (current === undefined || outcome !== undefined) opened.waiter.end();
    const end = outcome === undefined ? undefined : await opened.waiter.done;
    const stored = outcome && ({ kind: 'outcome', outcome, receipt: NO_RECEIPT } as const);
    const known = end?.kind === 'outcome' ? end : stored;
    const isReached = current !== undefined && current.delivery_state !== 'pending';
    const hasText = (this.#options.streams.find(message.id)?.length ?? 0) > 0;
    const state = isReached || hasText ? 'delivered' : opened.state;
    return { ...opened, message: current ?? message, state, known };
  }

  #open(
    message: MessageRow,
    isCaller: boolean,
    { isFollowed, isReached }: { readonly isFollowed: boolean; readonly isReached: boolean },
  ): OpenedStream {
    const { store, streams, waiters } = this.#options;
    return {
      message,
      state: isReached ? 'delivered' : 'queued',
      reader: streams.open(message.id).read(),
      waiter: waiters.wait(message.id, null, isCaller ? 'caller' : 'another'),
      known: undefined,
      isFollowed,
      readState: async () => {
        const current = await store.find(message.id);
        const state = messageStateOf(current ?? message);
        // An end that came after the wait is not one that this stream has shown.
        return isEnded(state) || state === 'input_required' ? 'delivered' : state;
      },
    };
  }
}

function abandon({ reader, waiter }: OpenedStream): void {
  waiter.end();
  reader.leave();
  // Nobody gets what was reserved for it meanwhile.
  void waiter.done.then((end) => (end.kind === 'outcome' ? end.receipt.report(false) : undefined));
}
