import type { InboundMessage } from '@molecule-ai/protocol';

/** Hears what happens to messages; must not throw. */
export interface InboundObserver {
  /** A handler is about to run. */
  started(message: InboundMessage, attempt: number): void;
  progressed(message: InboundMessage, text: string): void;
  /** The attempt is over, whatever came of it. */
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
  /** A handler went on after its signal aborted and its grace was over. */
  stuck(message: InboundMessage): void;
}
