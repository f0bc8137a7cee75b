import { heldRequests } from '../telemetry/telemetry.ts';
import type { Clock } from '../time/clock.ts';

/** Readers that wait for one workspace; one more releases the oldest, which is empty-handed and may ask again. */
const MAX_READERS = 500;
/** Readers that are woken in one turn of the event loop, because each of them reads a page. */
const WOKEN_AT_ONCE = 10;

/**
 * Why a reader no longer waits. `woken`: there may be a row; `changed`: the status of the workspace has changed; `ended`:
 * nobody wants the row any longer, or the platform stops.
 */
type WaitEnd = 'woken' | 'changed' | 'timeout' | 'ended';

/** One reader that waits for rows of a workspace. `done` never rejects. */
interface RowWaiter {
  readonly done: Promise<WaitEnd>;
  /** Stops waiting; `done` becomes `ended` unless it has resolved. */
  end(): void;
}

const HELD_FOR_ROWS = { 'molecule.held_for': 'rows' };

type Leave = (reason: WaitEnd) => void;

/** What happened for the readers of a workspace. */
interface Wake {
  /** Why they no longer wait. @default 'woken' */
  readonly reason?: 'woken' | 'changed';
  /** The direction of the row that there may be; those that wait for rows of another one are not woken. @default any */
  readonly direction?: string | undefined;
}

/**
 * The readers that wait for rows, by workspace, in memory: a waiting request costs one timer and no query. Register
 * before reading, so that a row written in between is not missed.
 */
export class RowWaiters {
  readonly #clock: Clock;
  /** With the direction of the rows that each reader waits for; undefined for any. */
  readonly #waiting = new Map<string, Map<Leave, string | undefined>>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many readers are waiting. */
  get size(): number {
    let size = 0;
    for (const readers of this.#waiting.values()) size += readers.size;
    return size;
  }

  /** @param direction of the rows that the reader waits for; undefined for any */
  add(workspaceId: string, timeoutMs: number, direction?: string): RowWaiter {
    if (this.#closed) return { done: Promise.resolve('ended'), end: () => {} };
    const { promise: done, resolve } = Promise.withResolvers<WaitEnd>();
    const readers = this.#waiting.get(workspaceId) ?? new Map();
    this.#waiting.set(workspaceId, readers);
    const leave: Leave = (reason) => {
      if (!readers.delete(leave)) return;
      if (readers.size === 0 && this.#waiting.get(workspaceId) === readers) this.#waiting.delete(workspaceId);
      heldRequests(-1, HELD_FOR_ROWS);
      cancelTimer();
      resolve(reason);
    };
    const cancelTimer = this.#clock.schedule(timeoutMs, () => leave('timeout'));
    readers.set(leave, direction);
    heldRequests(1, HELD_FOR_ROWS);
    const [oldest] = readers.keys();
    if (readers.size > MAX_READERS) oldest?.('ended');
    return { done, end: () => leave('ended') };
  }

  /** Wakes the readers of the workspace: the longest waiting first, a few in each turn of the event loop. */
  wake(workspaceId: string, { reason = 'woken', direction }: Wake = {}): void {
    const readers: Leave[] = [];
    for (const [leave, wanted] of this.#waiting.get(workspaceId) ?? []) {
      if (direction === undefined || wanted === undefined || wanted === direction) readers.push(leave);
    }
    let next = 0;
    const wakeSome = () => {
      const end = next + WOKEN_AT_ONCE;
      for (const leave of readers.slice(next, end)) leave(reason);
      next = end;
      if (next < readers.length) setImmediate(wakeSome);
    };
    wakeSome();
  }

  /** Ends every wait, also those that start later. */
  close(): void {
    this.#closed = true;
    for (const readers of [...this.#waiting.values()]) {
      for (const leave of [...readers.keys()]) leave('ended');
    }
  }
}
