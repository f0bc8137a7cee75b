import { isEnded, type MessageState, type ReplyAccepted, type ReplyIgnored } from '@molecule-ai/protocol';
import type { MessageRow } from '../../database/schema.ts';
import { HttpError } from '../../http/http-error.ts';
import type { MemoryShare } from '../../waiting/response-memory.ts';
import type { IncomingMessage, MessageAcceptance } from '../accept/accept.ts';
import { type AskedMessages, readerOf, type TaskReference } from '../asked-messages.ts';
import { isHeld } from '../delivery.rules.ts';
import { withoutAnswer } from '../message.store.ts';
import { messageStateOf, type Outcome, storedOutcome } from '../outcome.ts';
import type { FoundTask } from '../response.ts';
import type { MessageParts } from '../transitions.ts';
import { NO_RECEIPT, type OutcomeWaiter, type WaitEnd } from '../waiters.ts';
import type { TextReader } from './answer-streams.ts';

/** So many streams one workspace reads at the same time; of the operators those to one workspace count together. */
const MAX_STREAMS = 100;
/** When a client that has too many may try again, in seconds. */
const RETRY_AFTER = 5;

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

/** What a client reads that asks for a stream. */
type Readable =
  | { readonly kind: 'stream'; readonly opened: OpenedStream }
  /** The message was itself an answer. */
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  /** The message has an outcome. */
  | { readonly kind: 'task'; readonly found: FoundTask };

/** Call `release` when the client has read it. */
export type StreamResult = Readable & { readonly release: () => void };

/** A stream among those that its reader has open, and the memory of the answer that it ends with. */
interface Place {
  readonly reader: string;
  readonly shares: MemoryShare[];
  opened: OpenedStream | undefined;
}

export interface MessageStreamsOptions extends MessageParts {
  readonly acceptance: MessageAcceptance;
  readonly asked: AskedMessages;
}

/** The streams of messages for those who send them, and for those who ask for one later. */
export class MessageStreams {
  readonly #options: MessageStreamsOptions;
  /** Those that are open, by who reads them. */
  readonly #places = new Map<string, Set<Place>>();

  constructor(options: MessageStreamsOptions) {
    this.#options = options;
  }

  /** Stores a message and opens its stream; a repeat reads the stream of the first. @throws HttpError 429 `rate_limited` */
  send(incoming: IncomingMessage): Promise<StreamResult> {
    return this.#inPlace(readerOf(incoming.callerId, incoming.targetId), async (place) => {
      let opened: OpenedStream | undefined;
      const { view } = incoming.message;
      const accepted = await this.#options.acceptance.accept(incoming, (row, plan) => {
        const state = isHeld(plan, view) ? 'delivered' : 'queued';
        opened = this.#open(place, row, 'caller', { isFollowed: view.expectsAnswer, state });
      });
      if (accepted.kind === 'reply') return { kind: 'reply', body: accepted.body };
      // Otherwise it is a repeat, or has ended at once.
      opened ??= (await this.#openStored(place, accepted.row, 'caller')).opened;
      return { kind: 'stream', opened };
    });
  }

  /**
   * Opens the stream of a message that was sent before. @throws HttpError 404 `message_not_found`, 409
   * `message_id_conflict`, 429 `rate_limited`, 503 `platform_unavailable`
   */
  resume(task: TaskReference): Promise<StreamResult> {
    return this.#inPlace(readerOf(task.callerId, task.workspaceId), async (place) => {
      const { id, message } = await this.#options.asked.findLatest(task);
      const by = task.callerId !== null || message.source_id === null ? 'caller' : 'another';
      const { opened, stored } = await this.#openStored(place, withoutAnswer(message), by);
      if (stored === undefined) return { kind: 'stream', opened };
      abandon(opened);
      return { kind: 'task', found: { id, message: stored } };
    });
  }

  /** Ends the streams that these workspaces read. */
  endOf(workspaceIds: readonly string[]): void {
    for (const id of workspaceIds) for (const { opened } of this.#places.get(id) ?? []) opened?.waiter.end();
  }

  async #inPlace(reader: string, open: (place: Place) => Promise<Readable>): Promise<StreamResult> {
    const places = this.#places.get(reader) ?? new Set();
    if (places.size >= MAX_STREAMS) {
      throw new HttpError(429, 'rate_limited', 'too many streams are open', {
        retry_after: RETRY_AFTER,
        scope: 'streams',
        hint: `At most ${MAX_STREAMS} streams of one workspace are open. Send the message without a stream, or close one first.`,
      });
    }
    this.#places.set(reader, places);
    const place: Place = { reader, shares: [], opened: undefined };
    places.add(place);
    const release = () => {
      for (const share of place.shares) share.release();
      places.delete(place);
      if (places.size === 0 && this.#places.get(reader) === places) this.#places.delete(reader);
    };
    try {
      const result = await open(place);
      if (result.kind === 'stream') place.opened = result.opened;
      return { ...result, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Registers before reading the row, so that no commit is missed. `stored`: the message with its outcome. */
  async #openStored(
    place: Place,
    message: MessageRow,
    by: 'caller' | 'another',
  ): Promise<{ readonly opened: OpenedStream; readonly stored: MessageRow | undefined }> {
    const { asked, streams } = this.#options;
    const opened = this.#open(place, message, by, { isFollowed: true, state: 'queued' });
    try {
      const read = await asked.read(message.id);
      const isOver = read === undefined || storedOutcome(read.message) !== undefined;
      if (isOver) opened.waiter.end();
      const end = isOver ? await opened.waiter.done : undefined;
      const isAnnounced = end?.kind === 'outcome';
      const held = isOver && !isAnnounced && read && (await asked.hold(place.reader, read));
      if (held) place.shares.push(held.share);
      const outcome = held ? storedOutcome(held.message) : undefined;
      const known: WaitEnd | undefined = isAnnounced
        ? end
        : outcome && { kind: 'outcome', state: outcome.state, outcome, bytes: 0, receipt: NO_RECEIPT };
      const isPending = read === undefined || read.message.delivery_state === 'pending';
      const hasText = (streams.find(message.id)?.text.length ?? 0) > 0;
      const state = isPending && !hasText ? 'queued' : 'delivered';
      const current = read === undefined ? message : withoutAnswer(read.message);
      const stored = held && outcome !== undefined ? held.message : undefined;
      return { opened: { ...opened, message: current, state, known }, stored };
    } catch (error) {
      abandon(opened);
      throw error;
    }
  }

  #open(
    place: Place,
    message: MessageRow,
    by: 'caller' | 'another',
    beginning: Pick<OpenedStream, 'isFollowed' | 'state'>,
  ): OpenedStream {
    const { asked, store, streams, waiters } = this.#options;
    return {
      ...beginning,
      message,
      reader: streams.open(message.id).read(),
      waiter: waiters.wait(message.id, null, by),
      known: undefined,
      readState: async () => {
        const state = messageStateOf((await store.find({ id: message.id })) ?? message);
        // An end that came after the wait is not one that this stream has shown.
        return isEnded(state) || state === 'input_required' ? 'delivered' : state;
      },
      readOutcome: async (omittedBytes) => {
        const held = await asked.hold(place.reader, { message, omittedBytes }).catch((error: unknown) => {
          if (error instanceof HttpError) return undefined;
          throw error;
        });
        if (held !== undefined) place.shares.push(held.share);
        return held && storedOutcome(held.message);
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
