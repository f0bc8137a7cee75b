import { isEnded, type ReplyAccepted, type ReplyIgnored } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import { HttpError } from '../../http/http-error.ts';
import type { MessageAcceptance } from '../accept/accept-message.service.ts';
import type { IncomingMessage } from '../accept/acceptance.rules.ts';
import { isHeld } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import { messageStateOf, storedOutcome } from '../outcome/outcome.rules.ts';
import type { OutcomeRecorder } from '../outcome/outcome-recorder.ts';
import { NO_RECEIPT, type OutcomeWaiters, type WaitEnd } from '../outcome/outcome-waiters.ts';
import type { FoundTask } from '../outcome/task-response.rules.ts';
import { type StoredAnswers, withoutAnswer } from '../stored-answers.ts';
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
  readonly answers: StoredAnswers;
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
      if (type === 'WORKSPACE_REMOVED' && workspaceId !== null) this.endOf([workspaceId]);
    });
  }

  /** Stores a message and opens its stream; a repeat reads the stream of the first. @throws HttpError 429 `rate_limited` */
  send(incoming: IncomingMessage): Promise<StreamResult> {
    const { callerId, targetId } = incoming;
    return this.#inPlace(callerId, targetId, async (place) => {
      let opened: OpenedStream | undefined;
      const accepted = await this.#options.acceptance.accept(incoming, (row, plan) => {
        const isFollowed = incoming.message.view.expectsAnswer;
        const isReached = isHeld(plan, incoming.message.view);
        opened = this.#open(place, row, true, { isFollowed, isReached });
      });
      if (accepted.kind === 'reply') return { kind: 'reply', body: accepted.body, place };
      // Otherwise it is a repeat, or has ended at once.
      opened ??= (await this.#openStored(place, accepted.row, true)).opened;
      return { kind: 'stream', opened, place };
    });
  }

  /**
   * Opens the stream of a message that was sent before. @throws HttpError 404 `message_not_found`, 409
   * `message_id_conflict`, 429 `rate_limited`, 503 `platform_unavailable`
   */
  resume(task: TaskReference): Promise<StreamResult> {
    const { callerId, workspaceId } = task;
    return this.#inPlace(callerId, workspaceId, async (place) => {
      const { id, latest } = await this.#find(task);
      const isCaller = callerId !== null || latest.source_id === null;
      const { opened, stored } = await this.#openStored(place, latest, isCaller);
      const isNews = opened.known?.kind === 'outcome' && opened.known.receipt !== NO_RECEIPT;
      if (opened.known === undefined || isNews) return { kind: 'stream', opened, place };
      abandon(opened);
      return { kind: 'task', found: { id, message: stored ?? latest }, place };
    });
  }

  /** Ends the streams that these workspaces read. */
  endOf(workspaceIds: readonly string[]): void {
    for (const id of workspaceIds) this.#places.remove(id);
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

  async #find(task: TaskReference): Promise<{ readonly id: string; readonly latest: MessageRow }> {
    const { lookup } = this.#options;
    const sent = await lookup.find(task);
    return { id: taskIdOf(sent, task.reference), latest: withoutAnswer(await lookup.findLatest(sent)) };
  }

  /** Registers before reading the row, so that no commit is missed. */
  async #openStored(
    place: StreamPlace,
    message: MessageRow,
    isCaller: boolean,
  ): Promise<{ readonly opened: OpenedStream; readonly stored: MessageRow | undefined }> {
    const { answers, streams } = this.#options;
    const opened = this.#open(place, message, isCaller, { isFollowed: true, isReached: false });
    try {
      const read = await answers.read(message.id);
      const isOver = read === undefined || storedOutcome(read.message) !== undefined;
      if (isOver) opened.waiter.end();
      const end = isOver ? await opened.waiter.done : undefined;
      const isAnnounced = end?.kind === 'outcome';
      const held =
        isOver && !isAnnounced && read !== undefined ? await answers.hold(place.reader, read) : undefined;
      if (held !== undefined) place.hold(held.share);
      const known = isAnnounced ? end : held && knownEnd(held.message);
      const isReached = read !== undefined && read.message.delivery_state !== 'pending';
      const hasText = (streams.find(message.id)?.length ?? 0) > 0;
      const state = isReached || hasText ? 'delivered' : opened.state;
      const current = read === undefined ? message : withoutAnswer(read.message);
      return { opened: { ...opened, message: current, state, known }, stored: held?.message };
    } catch (error) {
      abandon(opened);
      throw error;
    }
  }

  #open(
    place: StreamPlace,
    message: MessageRow,
    isCaller: boolean,
    { isFollowed, isReached }: { readonly isFollowed: boolean; readonly isReached: boolean },
  ): OpenedStream {
    const { answers, store, streams, waiters } = this.#options;
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
      readOutcome: async (omittedBytes) => {
        const held = await answers.hold(place.reader, { message, omittedBytes }).catch((error: unknown) => {
          if (error instanceof HttpError) return undefined;
          throw error;
        });
        if (held !== undefined) place.hold(held.share);
        return held && storedOutcome(held.message);
      },
    };
  }
}

function knownEnd(message: MessageRow): WaitEnd | undefined {
  const outcome = storedOutcome(message);
  return outcome && { kind: 'outcome', state: outcome.state, outcome, bytes: 0, receipt: NO_RECEIPT };
}

function abandon({ reader, waiter }: OpenedStream): void {
  waiter.end();
  reader.leave();
  // Nobody gets what was reserved for it meanwhile.
  void waiter.done.then((end) => (end.kind === 'outcome' ? end.receipt.report(false) : undefined));
}
