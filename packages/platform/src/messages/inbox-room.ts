import { acknowledgingSince, type ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import { CANVAS_CALLER } from '../database/schema.ts';
import type { MessageStore } from './message.store.ts';

/** Workspaces whose waiting messages are counted in memory; the one that was quiet longest is removed first. */
const MAX_WORKSPACES = 10_000;
/** Of what may wait for a workspace, one part in so many is for a single sender, and one for people and operators only. */
const SENDER_PART = 4;
const PEOPLE_PART = 10;
/** Another process may have changed what waits since it was counted. */
const COUNT_IS_VALID_MS = 10_000;

/** Number and size of messages; `bytes` of what is stored for them. */
interface Amount {
  rows: number;
  bytes: number;
}

interface Counted {
  readonly total: Amount;
  readonly bySender: Map<string, Amount>;
  readonly countedAt: number;
  /** A message has ended, or the agent has read on, since it was counted: less may wait. */
  mayHaveShrunk: boolean;
}

/** Why no further message fits: all that may wait is used, or the part of one sender. */
export type InboxRefusal = 'inbox' | 'sender';

interface InboxRoomOptions extends Pick<PlatformContext, 'clock' | 'events' | 'settings'> {
  readonly positions: ReadingPositions;
  readonly store: MessageStore;
}

/**
 * Limits what waits for one workspace; for an agent that never acknowledges, that is what it has not read. Messages are
 * counted in memory as they are stored, and in the database when that reaches a limit or is some time ago. See docs/contract/limits.md#inbox.
 */
export class InboxRoom {
  readonly #options: InboxRoomOptions;
  readonly #counted = new Map<string, Counted>();

  constructor(options: InboxRoomOptions) {
    this.#options = options;
    const shrank = (workspaceId: string) => {
      const counted = this.#counted.get(workspaceId);
      if (counted !== undefined) counted.mayHaveShrunk = true;
    };
    options.events.subscribe(['MESSAGE_ENDED'], shrank);
    options.positions.onAdvance(shrank);
  }

  /** Whether one more message of `caller` may wait for the workspace, and if not, why. */
  async check(workspaceId: string, caller: string, db: Queryable): Promise<InboxRefusal | undefined> {
    const { clock } = this.#options;
    const known = this.#counted.get(workspaceId);
    const isRecent = known !== undefined && clock.monotonic() - known.countedAt < COUNT_IS_VALID_MS;
    const refusal = known === undefined ? undefined : this.#refusal(known, caller);
    if (isRecent && (refusal === undefined || !known.mayHaveShrunk)) return refusal;
    return this.#refusal(await this.#countIn(workspaceId, db), caller);
  }

  /** Counts a message that was stored; returns what undoes it. */
  add(workspaceId: string, caller: string, bytes: number): () => void {
    const counted = this.#counted.get(workspaceId);
    if (counted === undefined) return () => {};
    const amounts = [counted.total, amountOf(counted, caller)];
    const change = (sign: 1 | -1) => {
      for (const amount of amounts) {
        amount.rows += sign;
        amount.bytes += sign * bytes;
      }
    };
    change(1);
    return () => change(-1);
  }

  #refusal(counted: Counted, caller: string): InboxRefusal | undefined {
    const { inboxLimit, inboxBytes } = this.#options.settings;
    const isFull = ({ rows, bytes }: Amount, part: number) =>
      rows >= Math.ceil(inboxLimit * part) || bytes >= inboxBytes * part;
    if (caller === CANVAS_CALLER) return isFull(counted.total, 1) ? 'inbox' : undefined;
    if (isFull(counted.total, 1 - 1 / PEOPLE_PART)) return 'inbox';
    const own = counted.bySender.get(caller);
    return own !== undefined && isFull(own, 1 / SENDER_PART) ? 'sender' : undefined;
  }

  async #countIn(workspaceId: string, db: Queryable): Promise<Counted> {
    const since = acknowledgingSince(this.#options.clock);
    const counted: Counted = {
      total: { rows: 0, bytes: 0 },
      bySender: new Map(),
      countedAt: this.#options.clock.monotonic(),
      mayHaveShrunk: false,
    };
    for (const row of await this.#options.store.countWaiting(
      { workspaceId, acknowledgingSince: since },
      db,
    )) {
      const amount = { rows: Number(row.rows), bytes: Number(row.bytes ?? 0) };
      counted.bySender.set(row.caller, amount);
      counted.total.rows += amount.rows;
      counted.total.bytes += amount.bytes;
    }
    this.#counted.delete(workspaceId);
    this.#counted.set(workspaceId, counted);
    if (this.#counted.size > MAX_WORKSPACES) {
      const [oldest] = this.#counted.keys();
      if (oldest !== undefined) this.#counted.delete(oldest);
    }
    return counted;
  }
}

function amountOf({ bySender }: Counted, caller: string): Amount {
  let amount = bySender.get(caller);
  if (amount === undefined) {
    amount = { rows: 0, bytes: 0 };
    bySender.set(caller, amount);
  }
  return amount;
}
