import type { InboundMessage } from '@molecule-ai/protocol';
import type { ClientPort } from '../client/client-port.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { InboundDelivery } from './delivery.ts';
import type { AttemptHandler } from './handler.ts';
import type { InboundObserver } from './inbound-observer.ts';
import type { InboundStore } from './inbound-store.ts';
import type { RetryPolicy } from './life.ts';

/** Watches whether messages come. */
export interface InboundWatch {
  /** Messages are received until {@link close}, which may be called more often. */
  open(signal: AbortSignal): void;
  close(): void;
  /** The delivery has passed a page or a message. */
  read(): void;
  /** Call with each new message of the feed. Returns whether the agent sent it to itself: no handler gets it. */
  received(message: InboundMessage): boolean;
}

export interface InboundOptions {
  readonly client: Pick<
    ClientPort,
    | 'workspaceId'
    | 'capabilities'
    | 'fetchInboundPage'
    | 'fetchCancellations'
    | 'acknowledge'
    | 'reply'
    | 'observeReply'
    | 'sentMessages'
    | 'askQuestions'
  > &
    Partial<Pick<ClientPort, 'reportProgress'>>;
  readonly delivery: InboundDelivery;
  readonly store: InboundStore;
  readonly handler: AttemptHandler;
  /** Whether the handler gets the answers to its questions. */
  readonly mayAsk: () => boolean;
  readonly observer: InboundObserver;
  readonly watch: InboundWatch;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** Window over which the first attempts after an outage are spread, in milliseconds. */
  readonly reconnectSpreadMs: number;
  /** Maximum number of messages handled at the same time. */
  readonly concurrency: number;
  /** Maximum number of messages read and not finished. */
  readonly readAhead: number;
  /** Time limit of a handler, in milliseconds; `null` for none. */
  readonly handlerTimeoutMs: number | null;
  readonly retry: RetryPolicy;
  readonly atMostOnce: boolean;
}
