import type { InboundMessage } from '@molecule-ai/protocol';

/** Is called with what happens to messages and to the feed; must not throw. */
export interface InboundObserver {
  /** A message that is new to this agent. */
  received(message: InboundMessage): void;
  /** A handler is about to run. */
  started(message: InboundMessage, attempt: number): void;
  progressed(message: InboundMessage, text: string): void;
  /** The attempt is over, with whatever result. */
  ended(message: InboundMessage): void;
  /** The handler returned. */
  succeeded(message: InboundMessage): void;
  /** The handler threw, or took too long. */
  failed(message: InboundMessage, error: unknown): void;
  replySent(message: InboundMessage): void;
  /** Handler and answer are done. */
  delivered(message: InboundMessage): void;
  cancelled(message: InboundMessage): void;
  retrying(
    message: InboundMessage,
    details: {
      readonly stage: 'handler' | 'reply';
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    },
  ): void;
  gaveUp(
    message: InboundMessage,
    details: { readonly stage: 'handler' | 'reply'; readonly attempts: number; readonly error: unknown },
  ): void;
  /** A handler continues although its signal aborted and its grace period is over. */
  stuck(message: InboundMessage): void;
  cursorLost(error: unknown): void;
  /** Nothing was read for three times as long as is normal. */
  stale(): void;
  fresh(): void;
  /** A handler runs for ten minutes, and other messages wait for it. */
  blocked(message: InboundMessage): void;
  unblocked(): void;
  storageDegraded(error: unknown): void;
  storageRecovered(): void;
}
