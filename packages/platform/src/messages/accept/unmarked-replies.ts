import { acknowledges, acknowledgingSince } from '../../activity/reading-positions.ts';
import type { PlatformContext } from '../../context.ts';
import type { PreparedQuery, Queryable } from '../../database/platform-database.ts';
import type { WorkspaceRow } from '../../database/schema.ts';

type Party = Pick<WorkspaceRow, 'id' | 'acknowledged_at'>;

interface Newest {
  readonly delivery_state: string;
  readonly seq: number | bigint;
}

/**
 * Recognises replies that do not name what they answer. Agents that never acknowledge send such ones, and two of them
 * would hold each other's calls although neither answers a call. See docs/contract/messages.md#held-calls.
 */
export class UnmarkedReplies {
  readonly #clock: PlatformContext['clock'];
  readonly #newestFrom: PreparedQuery<{ workspaceId: string; peerId: string }, Newest>;

  constructor({ clock, database }: Pick<PlatformContext, 'clock' | 'database'>) {
    this.#clock = clock;
    this.#newestFrom = database.prepare((db, { workspaceId, peerId }) =>
      db
        .selectFrom('activity')
        .select(['delivery_state', 'seq'])
        .where('workspace_id', '=', workspaceId)
        .where('peer_id', '=', peerId)
        .where('message_id', 'is not', null)
        .orderBy('seq', 'desc')
        .limit(1),
    );
  }

  /**
   * Whether neither agent acknowledges, and the newest message between the two is one of `target` that has not ended:
   * the next one of `caller` is the reply to it, and those after that are not.
   */
  async isLikely(caller: Party, target: Party, db: Queryable): Promise<boolean> {
    const since = acknowledgingSince(this.#clock);
    if (acknowledges(caller.acknowledged_at, since) || acknowledges(target.acknowledged_at, since))
      return false;
    const { rows } = await this.#newestFrom({ workspaceId: caller.id, peerId: target.id }, db);
    const [received] = rows;
    if (received?.delivery_state !== 'pending') return false;
    const sent = await this.#newestFrom({ workspaceId: target.id, peerId: caller.id }, db);
    return Number(sent.rows[0]?.seq ?? 0) < Number(received.seq);
  }
}
