import type { PlatformEventName } from '@molecule-ai/protocol';

/** A notification of a stored event. A subscriber reads the rows; a body is never included. */
export interface BusNotice {
  readonly seq: number;
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
}

/**
 * Notifies subscribers after the commit. `subscribe` returns an unsubscribe function. With several processes on
 * Postgres, LISTEN/NOTIFY can implement the same interface.
 */
export interface EventBus {
  publish(notice: BusNotice): void;
  subscribe(listener: (notice: BusNotice) => void): () => void;
}

export function createInProcessBus(onListenerError: (error: unknown) => void): EventBus {
  const listeners = new Set<(notice: BusNotice) => void>();
  return {
    publish: (notice) => {
      for (const listener of [...listeners]) {
        try {
          listener(notice);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
