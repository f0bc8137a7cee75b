import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import type { UnreadRow } from '../errors/api-error.ts';
import { receivedMessage } from '../peers/received-values.ts';
import type { Clock } from '../time/clock.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { DeliveryInbox, FeedPosition } from './delivery.ts';
import type { InboundObserver } from './inbound-observer.ts';
import type { Ledger, OpenMessage } from './ledger.ts';
import type { EndedMessage } from './ledger-lines.ts';
import { failureCode } from './life.ts';

const MAX_OPEN_ROWS = 1_000;
/** The sentence for the sender of a message that the agent cannot read. */
const UNREADABLE_TEXT = 'The message is too large for the agent to read.';

export interface FeedInboxOptions {
  /** Lower case. */
  readonly workspaceId: string;
  readonly client: Pick<PlatformClient, 'observeReply'>;
  readonly ledger: Ledger;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  /** Maximum number of messages read and not finished. */
  readonly readAhead: number;
  /** Handles a new message. */
  readonly onMessage: (record: OpenMessage) => void;
  /** Reports to the platform how a message ended that a request had brought before. */
  readonly onCopy: (message: InboundMessage, ended: EndedMessage) => void;
  /** A page or a message was passed. */
  readonly onActivity: () => void;
  /** The position may have moved. */
  readonly onPage: () => void;
}

/** Accepts what a delivery passes, as far as there is room. */
export class FeedInbox implements DeliveryInbox {
  readonly #options: FeedInboxOptions;
  #capacityFreed = Promise.withResolvers<void>();
  #lastFinishedAt: number | null = null;

  constructor(options: FeedInboxOptions) {
    this.#options = options;
  }

  /** Number of messages that may be accepted now. */
  get free(): number {
    const { readAhead, ledger } = this.#options;
    return ledger.freeOf(readAhead, Math.max(MAX_OPEN_ROWS, readAhead));
  }

  get lastFinishedAt(): number | null {
    return this.#lastFinishedAt;
  }

  /** Call when messages were finished. */
  finished(): void {
    this.#lastFinishedAt = this.#options.clock.monotonic();
    if (this.free <= 0) return;
    this.#capacityFreed.resolve();
    this.#capacityFreed = Promise.withResolvers<void>();
  }

  get position(): string | null {
    return this.#options.ledger.readPosition;
  }

  async waitForCapacity(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const { free } = this;
      if (free > 0) return free;
      await orAborted(this.#capacityFreed.promise, signal);
    }
  }

  accept(message: InboundMessage, position: FeedPosition | null): boolean {
    const { client, workspaceId, onActivity } = this.#options;
    const isReturned = message.inReplyTo !== '' && client.observeReply(message);
    const isNew = !isReturned && this.#accept(receivedMessage(message, workspaceId), position?.seq);
    onActivity();
    return isNew;
  }

  acceptPage(page: InboundPage): number {
    const { observer, ledger, onActivity, onPage } = this.#options;
    observer.fits();
    const fresh = page.messages.filter((message) => this.#accept(message, message.seq));
    ledger.endPage(page);
    onActivity();
    onPage();
    return fresh.length;
  }

  tooLarge(error: unknown): void {
    this.#options.observer.tooLarge(error);
  }

  async setAside(row: UnreadRow, error: unknown): Promise<void> {
    const { clock, observer, ledger } = this.#options;
    const { id: activityId, messageId, sourceId } = row;
    const at = new Date(clock.now()).toISOString();
    const errorCode = failureCode(error);
    const unread = { stage: 'handler', attempts: 0, message: null, progress: null } as const;
    const letter = { ...unread, activityId, messageId, sourceId, errorCode, at };
    await ledger.setAside(row, letter, {
      outcome: 'failed',
      error: { message: UNREADABLE_TEXT, code: errorCode },
    });
    observer.setAside({ activityId, messageId }, error);
  }

  isBehind(message: InboundMessage): boolean {
    return this.#options.ledger.isBehind(message.id);
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#options.ledger.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  #accept(received: InboundMessage, seq: number | null | undefined): boolean {
    const { workspaceId, ledger, onMessage, onCopy } = this.#options;
    // Our client has named it already.
    const message = received.conversationId === '' ? receivedMessage(received, workspaceId) : received;
    const read = ledger.read(message, seq);
    if (read === null) return false;
    if ('end' in read) {
      onCopy(message, read);
      return false;
    }
    onMessage(read);
    return true;
  }
}
