import type { InboundMessage } from '@molecule-ai/protocol';
import { withConversation } from '../../client/conversation.ts';
import type { InboundPage } from '../../client/inbound-page.ts';
import type { PlatformClient } from '../../client/platform-client.ts';
import type { UnreadRow } from '../../errors/page-too-large-error.ts';
import type { Clock } from '../../time/clock.ts';
import { orAborted } from '../../time/linked-abort.ts';
import type { KeptEnd } from '../arrivals/arrival.ts';
import { failureCode, UNREADABLE_TEXT } from '../handling/rules.ts';
import type { InboundObserver } from '../inbound-observer.ts';
import type { InboundState } from '../inbound-state.ts';
import type { DeliveryInbox, FeedPosition } from './message-source.ts';

const MAX_OPEN_ROWS = 1_000;

export interface FeedInboxOptions {
  /** Lower case. */
  readonly workspaceId: string;
  readonly client: Pick<PlatformClient, 'observeReply'>;
  readonly state: InboundState;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  /** Maximum number of messages read and not finished. */
  readonly readAhead: number;
  /** Handles a new message. */
  readonly onMessage: (message: InboundMessage) => void;
  /** Reports to the platform how a message ended that a request had brought before. */
  readonly onCopy: (message: InboundMessage, kept: KeptEnd) => void;
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
    const { readAhead, state } = this.#options;
    const { unfinished, open, outcomes, arrivals } = state;
    const most = Math.max(MAX_OPEN_ROWS, readAhead);
    return Math.min(readAhead - unfinished + arrivals.waiting, most - open, most - outcomes.size);
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
    return this.#options.state.readPosition;
  }

  async waitForCapacity(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      if (this.free > 0) return this.free;
      await orAborted(this.#capacityFreed.promise, signal);
    }
  }

  accept(message: InboundMessage, position: FeedPosition | null): boolean {
    const { client, onActivity } = this.#options;
    const isNew = !client.observeReply(message) && this.#accept(message, position);
    onActivity();
    return isNew;
  }

  acceptPage(page: InboundPage): number {
    const { observer, state, onActivity, onPage } = this.#options;
    observer.fits();
    const fresh = page.messages.filter((message) => this.#accept(message, { seq: message.seq }));
    state.endPage(page);
    onActivity();
    onPage();
    return fresh.length;
  }

  tooLarge(error: unknown): void {
    this.#options.observer.tooLarge(error);
  }

  async setAside(row: UnreadRow, error: unknown): Promise<void> {
    const { clock, observer, state } = this.#options;
    const { id: activityId, messageId, sourceId } = row;
    const at = new Date(clock.now()).toISOString();
    const unread = { stage: 'handler', attempts: 0, message: null, progress: null } as const;
    const errorCode = failureCode(error);
    await state.addDeadLetter({ ...unread, activityId, messageId, sourceId, errorCode, at });
    await state.setAside(row, {
      outcome: 'failed',
      error: { message: UNREADABLE_TEXT, code: errorCode },
    });
    observer.setAside({ activityId, messageId }, error);
  }

  isBehind(message: InboundMessage): boolean {
    return this.#options.state.isBehind(message.id);
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#options.state.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  #accept(received: InboundMessage, position: FeedPosition | null): boolean {
    const { workspaceId, state, onMessage, onCopy } = this.#options;
    const message = withConversation(received, workspaceId);
    const novelty = state.accept(message, position);
    if (novelty === 'copy') return false;
    if (novelty === 'new') onMessage(message);
    else onCopy(message, novelty);
    return novelty === 'new';
  }
}
