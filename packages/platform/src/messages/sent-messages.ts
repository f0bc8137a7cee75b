import type { ErrorBody, MessageSummary } from '@molecule-ai/protocol';
import { type SqlBool, sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { MessageRow } from './message.store.ts';
import { codeOf, type Failure, messageStateOf } from './outcome/outcome.rules.ts';

const SENT_COLUMNS = [
  'id',
  'seq',
  'message_id',
  'source_id',
  'target_id',
  'context_id',
  'delivery_state',
  'attempts',
  'failure',
  'created_at',
  'changed_at',
  'ended_at',
] as const;

/** One message in the list of what a workspace sent. */
type SentMessage = Pick<MessageRow, (typeof SENT_COLUMNS)[number]>;

/** Which sent messages are listed. */
export interface SentMessageFilter {
  /** States of rows. */
  readonly states: readonly string[];
  /** Only messages that changed at this time or later. */
  readonly since: string | undefined;
  readonly limit: number;
}

/** What both a record and a list say of a message. */
export type MessageFacts = Omit<MessageSummary, 'code'> & { readonly queue_id: string };

export interface SentMessagePage {
  readonly messages: MessageSummary[];
  readonly hasMore: boolean;
}

interface SentMessagesOptions extends Pick<PlatformContext, 'database'> {
  readonly workspaces: WorkspaceDirectory;
}

/** The messages that workspaces sent, answers left out: how a restarted sender learns the ends that it missed. */
export class SentMessages {
  readonly #options: SentMessagesOptions;

  constructor(options: SentMessagesOptions) {
    this.#options = options;
  }

  async list(workspaceId: string, filter: SentMessageFilter): Promise<SentMessagePage> {
    const { workspaces } = this.#options;
    await workspaces.require(workspaceId);
    const rows = await this.#select(workspaceId, filter);
    const page = rows.slice(0, filter.limit);
    const targets = await workspaces.findMany([...new Set(page.map((row) => row.target_id))]);
    const paused = new Set(targets.filter(({ status }) => status === 'paused').map(({ id }) => id));
    const messages = page.map((row) => ({
      ...toRecord(row, paused.has(row.target_id)),
      code: codeOf(row) ?? null,
    }));
    return { messages, hasMore: rows.length > filter.limit };
  }

  /**
   * Lists what a workspace sent, the latest change first, at most one more than `limit`. Each state is one range of the
   * index `activity_by_sender`, so that a few open messages are found among many that have ended.
   */
  async #select(caller: string, { states, since, limit }: SentMessageFilter): Promise<SentMessage[]> {
    const { query } = this.#options.database;
    const inState = (state: string) => {
      const page = query
        .selectFrom('activity')
        .select(SENT_COLUMNS)
        .where('caller', '=', caller)
        .where('delivery_state', '=', state)
        .where(sql<SqlBool>`message_id is not null and answers_id is null`)
        .$if(since !== undefined, (select) => select.where('changed_at', '>=', since ?? ''))
        .orderBy('changed_at', 'desc')
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      return query.selectFrom(page.as('page')).selectAll();
    };
    const [first = '', ...others] = states;
    const rows = await others
      .reduce((union, state) => union.unionAll(inState(state)), inState(first))
      .orderBy('changed_at', 'desc')
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute();
    return rows as SentMessage[];
  }
}

export function toRecord(row: SentMessage & Partial<MessageRow>, isTargetPaused: boolean): MessageFacts {
  const state = messageStateOf(row);
  return {
    message_id: row.message_id,
    queue_id: row.id,
    // A reply that went to a held call is on no feed; what it answered is.
    activity_id: row.workspace_id === null ? (row.answers_id ?? row.id) : row.id,
    caller_id: row.source_id,
    target_id: row.target_id,
    context_id: row.context_id ?? '',
    state,
    held: isTargetPaused && state === 'queued',
    attempts: row.attempts,
    ...(state === 'queued' && row.failure !== null ? { last_error: lastErrorOf(row.failure) } : {}),
    created_at: row.created_at,
    answered_at: state === 'answered' ? row.ended_at : null,
    ended_at: row.ended_at,
  };
}

/** Why the last attempt to push a message failed, which is kept while there may be another one. */
function lastErrorOf(failure: string): ErrorBody {
  return (JSON.parse(failure) as Failure).error;
}
