import type { InboundMessage } from '@molecule-ai/protocol';
import type { MessageFailure } from '../errors/message-failure.ts';
import type { GivenUp, Retry } from './life.ts';

/** How an attempt ended. */
export type AttemptEnd =
  | 'succeeded'
  /** Cancelled, expired or stopped: it neither succeeded nor failed. */
  | 'interrupted'
  /** The handler threw, timed out, or returned what is no answer. `failure`: by it, the handler ended the message as failed. */
  | { readonly error: unknown; readonly failure: MessageFailure | null };

/**
 * `handlers-blocked`: a handler runs for a minute, and other messages wait for it. `feed-too-large`: a page is larger than the client reads
 * at once. `storage`: the state cannot be stored.
 */
export type InboundProblem = 'handlers-blocked' | 'feed-too-large' | 'storage';

/** Receives what happens to messages and to the feed. Must not throw. */
export interface InboundObserver {
  /** A handler is about to run. */
  started(message: InboundMessage): void;
  progressed(message: InboundMessage, text: string): void;
  ended(message: InboundMessage, end: AttemptEnd): void;
  replySent(message: InboundMessage): void;
  /** A new message, not a copy; the handler returned and the answer, if any, was sent; or the sender cancelled the message. */
  emit(event: 'message' | 'delivered' | 'cancelled', message: InboundMessage): void;
  /** The platform let it expire before its answer. */
  expired(message: InboundMessage): void;
  retrying(message: InboundMessage, retry: Omit<Retry, 'kind' | 'waits'>): void;
  gaveUp(message: InboundMessage, why: GivenUp): void;
  /** The handler kept running after its signal was aborted and the grace period had passed. */
  stuck(message: InboundMessage): void;
  cursorLost(error: unknown): void;
  /** A row that cannot be read was set aside. */
  setAside(row: { readonly activityId: string; readonly messageId: string }, error: unknown): void;
  /** Something is wrong until {@link recovered}. @param message the one whose handler blocks others */
  degraded(reason: InboundProblem, error?: unknown, message?: InboundMessage): void;
  /** Also called when nothing was wrong. */
  recovered(reason: InboundProblem): void;
}
