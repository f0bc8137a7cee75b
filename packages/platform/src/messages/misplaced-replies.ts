import { isEnded } from '@molecule-ai/protocol';
import { sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import { HttpError } from '../http/http-error.ts';
import type { MessageRow } from './message.store.ts';

/** A message on the feed of a workspace, as far as it says who waits for an answer to it. */
type AwaitedMessage = Pick<MessageRow, 'source_id' | 'caller_receipt' | 'delivery_state'>;

interface Reference {
  readonly workspaceId: string;
  /** A message id, or a row id in any letter case. */
  readonly reference: string;
}

const COLUMNS = ['source_id', 'caller_receipt', 'delivery_state'] as const;

/** Refuses replies on a route by which their senders do not get them, and names the right one. */
export class MisplacedReplies {
  readonly #selectById: PreparedQuery<Reference, AwaitedMessage>;
  readonly #selectByMessageId: PreparedQuery<Reference, AwaitedMessage>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#selectById = database.prepare((db, { workspaceId, reference }: Reference) =>
      db
        .selectFrom('activity')
        .select(COLUMNS)
        .where('id', '=', reference)
        .where('workspace_id', '=', workspaceId)
        .where('message_id', 'is not', null),
    );
    this.#selectByMessageId = database.prepare((db, { workspaceId, reference }: Reference) =>
      db
        .selectFrom('activity')
        .select(COLUMNS)
        .where('message_id', '=', reference)
        // Not a condition that an index of feeds serves: the message id alone leaves a row or two.
        .where(sql<string>`${sql.ref('workspace_id')} || ''`, '=', workspaceId)
        .orderBy('seq', 'desc')
        .limit(1),
    );
  }

  /** @throws HttpError 400 `invalid_request` for a notify that names a message for whose answer a workspace waits. */
  async checkNotify(to: Reference, db: Queryable): Promise<void> {
    const message = await this.#find(to, db);
    if (message === undefined || message.source_id === null) return;
    if (message.caller_receipt === 'none' || isEnded(message.delivery_state)) return;
    throw new HttpError(400, 'invalid_request', 'in_reply_to names a message of a workspace', {
      extras: { field: 'in_reply_to', hint: toPeer(message.source_id) },
    });
  }

  /** @throws HttpError 400 `invalid_message` for a reply that a workspace sends to itself instead of its sender. */
  async checkOwn(to: Reference, db: Queryable): Promise<void> {
    const message = await this.#find(to, db);
    if (message === undefined || message.source_id === to.workspaceId) return;
    const { source_id: sourceId, caller_receipt: receipt } = message;
    if (sourceId !== null && receipt === 'none') return;
    const hint =
      sourceId === null
        ? `Post it to /workspaces/${to.workspaceId}/notify with in_reply_to: a person asked.`
        : toPeer(sourceId);
    throw new HttpError(400, 'invalid_message', 'the reply is addressed to the workspace that sends it', {
      extras: { field: 'params.message.metadata.in_reply_to', hint },
    });
  }

  async #find({ workspaceId, reference }: Reference, db: Queryable): Promise<AwaitedMessage | undefined> {
    const byMessageId = await this.#selectByMessageId({ workspaceId, reference }, db);
    if (byMessageId.rows.length > 0) return byMessageId.rows[0];
    return (await this.#selectById({ workspaceId, reference: reference.toLowerCase() }, db)).rows[0];
  }
}

function toPeer(peerId: string): string {
  return `Post the answer to /workspaces/${peerId}/a2a with metadata.in_reply_to.`;
}
