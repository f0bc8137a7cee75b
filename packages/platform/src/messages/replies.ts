import { isEnded } from '@molecule-ai/protocol';
import { acknowledges, acknowledgingSince } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';
import type { FeedReference, MessageStore } from './message.store.ts';

type Party = Pick<WorkspaceRow, 'id' | 'acknowledged_at'>;

interface RepliesOptions extends Pick<PlatformContext, 'clock'> {
  readonly store: MessageStore;
}

/** Finds replies on a route by which their senders do not get them, and replies that do not say that they are. */
export class Replies {
  readonly #clock: PlatformContext['clock'];
  readonly #store: MessageStore;

  constructor({ clock, store }: RepliesOptions) {
    this.#clock = clock;
    this.#store = store;
  }

  /** @throws HttpError 400 `invalid_request` for a notify that names a message for whose answer a workspace waits. */
  async checkNotify(to: FeedReference, db: Queryable): Promise<void> {
    const message = await this.#store.findAwaited(to, db);
    if (message === undefined || message.source_id === null) return;
    if (message.caller_receipt === 'none' || isEnded(message.delivery_state)) return;
    throw new HttpError(400, 'invalid_request', 'in_reply_to names a message of a workspace', {
      field: 'in_reply_to',
      hint: toPeer(message.source_id),
    });
  }

  /** @throws HttpError 400 `invalid_message` for a reply that a workspace sends to itself instead of its sender. */
  async checkOwn(to: FeedReference, db: Queryable): Promise<void> {
    const message = await this.#store.findAwaited(to, db);
    if (message === undefined || message.source_id === to.workspaceId) return;
    const { source_id: sourceId, caller_receipt: receipt } = message;
    if (sourceId !== null && receipt === 'none') return;
    const hint =
      sourceId === null
        ? `Post it to /workspaces/${to.workspaceId}/notify with in_reply_to: a person asked.`
        : toPeer(sourceId);
    throw new HttpError(400, 'invalid_message', 'the reply is addressed to the workspace that sends it', {
      field: 'params.message.metadata.in_reply_to',
      hint,
    });
  }

  /**
   * Whether a message that names none is a reply. Agents that never acknowledge send such ones, and two of them would hold each
   * other's calls although neither answers a call: neither acknowledges, and the newest message between the two is one of `target` that has not ended. The
   * next one of `caller` is the reply to it, and those after that are not.
   */
  async isLikelyReply(caller: Party, target: Party, db: Queryable): Promise<boolean> {
    const since = acknowledgingSince(this.#clock);
    if (acknowledges(caller.acknowledged_at, since) || acknowledges(target.acknowledged_at, since))
      return false;
    const received = await this.#store.findNewestFrom({ workspaceId: caller.id, peerId: target.id }, db);
    if (received?.delivery_state !== 'pending') return false;
    const sent = await this.#store.findNewestFrom({ workspaceId: target.id, peerId: caller.id }, db);
    return Number(sent?.seq ?? 0) < Number(received.seq);
  }
}

function toPeer(peerId: string): string {
  return `Post the answer to /workspaces/${peerId}/a2a with metadata.in_reply_to.`;
}
