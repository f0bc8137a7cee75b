import type { PlatformEventName } from '@molecule-ai/protocol';

/** What travels on the bus: enough to wake somebody who then reads the rows. Never a body. */
export interface BusNotice {
  readonly seq: number;
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
}

/**
 * Tells the parts of the platform that something is now durable. In one process this one is enough;
 * with several processes on Postgres the same port is served by LISTEN/NOTIFY.
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
