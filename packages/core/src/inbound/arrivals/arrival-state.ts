import type { InboundMessage } from '@molecule-ai/protocol';
import type { ArrivalEnd } from '../../inbound-http/inbound-agent.ts';
import { type MessageDedupe, messageKey } from '../dedupe/message-dedupe.ts';
import type { InboundRecord } from '../stores/inbound-records.ts';
import type { Arrival, KeptEnd } from './arrival.ts';
import type { ArrivalLog } from './arrival-log.ts';
import type { WholeRoom } from './arrival-room.ts';

/** What is known of a message that a request brings. */
export type KnownArrival =
  | { readonly kind: 'new' }
  | { readonly kind: 'pending'; readonly row: string; readonly arrival: Arrival | undefined }
  | { readonly kind: 'finished'; readonly kept: KeptEnd | undefined };

export interface ArrivalStateOptions {
  readonly log: ArrivalLog;
  readonly dedupe: MessageDedupe;
  /** Whether a row was read from the feed and is not acknowledged. */
  readonly isOnFeed: (row: string) => boolean;
  /** Resolves with whether the record is stored. */
  readonly write: (record: InboundRecord) => Promise<boolean>;
  readonly finish: (message: InboundMessage) => void;
  /** Takes back the progress of a message that counts as never brought. */
  readonly forget: (row: string) => void;
  /** There is room for more messages. */
  readonly onRoom: () => void;
}

/** The state of the messages that requests brought, in memory and in the store. */
export class ArrivalState {
  readonly #options: ArrivalStateOptions;

  constructor(options: ArrivalStateOptions) {
    this.#options = options;
  }

  find(message: InboundMessage): KnownArrival {
    const { log, dedupe } = this.#options;
    const kept = log.endOf(messageKey(message)) ?? log.findEnd([message.id]);
    const row = dedupe.pendingRows(message)[0] ?? log.find(message.id)?.message.id;
    if (row !== undefined && kept === undefined) return { kind: 'pending', row, arrival: log.find(row) };
    const isFinished = kept !== undefined || dedupe.isFinishedCopy(message);
    return isFinished ? { kind: 'finished', kept } : { kind: 'new' };
  }

  /** Whether one more message may be accepted. */
  hasRoom(arrival: Arrival, whole: WholeRoom): boolean {
    return this.#options.log.room.hasRoom(arrival, whole);
  }

  /** Number of messages that are handled and whose answers wait; they take no room. */
  get waiting(): number {
    return this.#options.log.room.waiting;
  }

  /** The answer to a message waits. False when too many do. */
  answerWaits(message: InboundMessage): boolean {
    const mayWait = this.#options.log.room.setWaiting(message.id);
    if (mayWait) this.#options.onRoom();
    return mayWait;
  }

  /** Adds a new message. Resolves with whether it is stored; if not, it counts as never brought. */
  async add(arrival: Arrival): Promise<boolean> {
    const { log, dedupe, forget, write } = this.#options;
    const { message } = arrival;
    dedupe.begin(message);
    log.add(arrival);
    if (await write({ type: 'arrived', arrival })) return true;
    log.finish(message.id);
    dedupe.forget(message);
    forget(message.id);
    return false;
  }

  /** Begins those that an earlier run did not finish, and returns them; those whose end is kept are finished. */
  resume(): readonly Arrival[] {
    const { log, dedupe, finish } = this.#options;
    return log.pending.filter(({ message }) => {
      const isNew = dedupe.begin(message) === 'new';
      if (isNew && log.endOf(messageKey(message)) === undefined) return true;
      if (isNew) finish(message);
      else log.finish(message.id);
      return false;
    });
  }

  /** Keeps how a message ended, at once for its repeats; resolves with whether that is stored. */
  keepEnd({ message, use, digest }: Arrival, end: ArrivalEnd): Promise<boolean> {
    const { id: row, messageId, contextId, sourceId } = message;
    const about = { row, messageId, contextId, use, sourceId, digest };
    const kept = { key: messageKey(message), ...about, end } as KeptEnd;
    this.#options.log.keep(kept);
    return this.#options.write({ type: 'kept-end', kept });
  }

  findEnd(askedKeys: readonly string[]): KeptEnd | undefined {
    return this.#options.log.findEnd(askedKeys);
  }

  /** Whether the message, or a copy of it, is a row of the feed that is not acknowledged. */
  isOnFeed(message: InboundMessage): boolean {
    const { dedupe, isOnFeed } = this.#options;
    return [message.id, ...dedupe.pendingRows(message)].some(isOnFeed);
  }
}
