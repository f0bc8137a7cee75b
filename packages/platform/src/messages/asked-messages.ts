import type { PlatformContext } from '../context.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { type MemoryShare, NO_SHARE } from '../waiting/response-memory.ts';
import type { MessageRow, MessageStore } from './message.store.ts';
import { type Outcome, storedOutcome } from './outcome/outcome.rules.ts';
import type { OutcomeReceipt, OutcomeWaiter, OutcomeWaiters, WaitEnd } from './outcome/outcome-waiters.ts';
import type { FoundTask } from './outcome/task-response.rules.ts';
import { type MessageFacts, toRecord } from './sent-messages.ts';
import { type ReadMessage, readerOf, type StoredAnswers, withoutAnswer } from './stored-answers.ts';
import {
  findSent,
  type MessageReference,
  type TaskLookup,
  type TaskReference,
  taskIdOf,
} from './task-lookup.ts';

type RequestBy = Parameters<OutcomeWaiters['wait']>[2];

/** The client of a request that may be held. */
export type WaitingClient = Pick<ClientConnection, 'gone' | 'onGone'>;

/** An outcome on its way to a client, of whom is then recorded whether it received it. */
export interface SentOutcome {
  readonly message: MessageRow;
  readonly outcome: Outcome;
  readonly receipt: OutcomeReceipt | undefined;
  /** The memory of its answer; release it when the response was written. */
  readonly share: MemoryShare;
}

/** The state of a message for its sender. */
export interface MessageStatus {
  readonly record: MessageFacts;
  readonly sent: SentOutcome | undefined;
}

export interface AskedMessagesOptions extends Pick<PlatformContext, 'clock'> {
  readonly answers: StoredAnswers;
  readonly lookup: TaskLookup;
  readonly store: MessageStore;
  readonly waiters: OutcomeWaiters;
  readonly workspaces: WorkspaceDirectory;
}

/**
 * Messages for those who ask about them: their outcomes, with or without a wait. All methods that read an answer throw HttpError
 * 503 when there is no memory for a large one.
 */
export class AskedMessages {
  readonly #options: AskedMessagesOptions;

  constructor(options: AskedMessagesOptions) {
    this.#options = options;
  }

  /** A message with its answer, for its sender or an operator. 404 for a message of another sender. */
  async findTask(task: TaskReference): Promise<FoundTask & Pick<SentOutcome, 'share'>> {
    const { id, read } = await this.#readTask(task);
    const held = await this.#options.answers.hold(readerOf(task.callerId, task.workspaceId), read);
    return { id, message: held?.message ?? read.message, share: held?.share ?? NO_SHARE };
  }

  /** The state of a message, after waiting up to `waitSeconds` for its outcome. 404 when there is none. */
  async getStatus(
    reference: MessageReference,
    waitSeconds: number,
    client: WaitingClient,
  ): Promise<MessageStatus> {
    const { store, workspaces } = this.#options;
    const { workspaceId, byOperator } = reference;
    const found = withoutAnswer(await findSent(store, reference));
    const by = !byOperator || found.source_id === null ? 'caller' : 'another';
    const reader = readerOf(byOperator ? null : workspaceId, workspaceId);
    const sent = await this.waitFor(reader, found.id, waitSeconds, client, by);
    try {
      const row = (await store.find(found.id)) ?? found;
      const target = await workspaces.find(row.target_id);
      return { record: toRecord(row, target?.status === 'paused'), sent };
    } catch (error) {
      sent?.share.release();
      sent?.receipt?.report(false);
      throw error;
    }
  }

  wait(id: string, seconds: number, client: WaitingClient, by: RequestBy): OutcomeWaiter {
    const waiter = this.#options.waiters.wait(id, seconds * 1_000, by);
    client.onGone(() => waiter.end());
    return waiter;
  }

  /** Waits for the outcome of a stored message. Registers before reading the row, so that no commit is missed. */
  async waitFor(
    reader: string,
    id: string,
    seconds: number,
    client: WaitingClient,
    by: RequestBy,
  ): Promise<SentOutcome | undefined> {
    const waiter = seconds > 0 ? this.wait(id, seconds, client, by) : undefined;
    const read = await this.#options.answers.read(id);
    const isOver = read === undefined || storedOutcome(read.message) !== undefined;
    if (isOver) waiter?.end();
    const end = await waiter?.done;
    if (read === undefined) return undefined;
    if (end?.kind === 'outcome') return this.sentBy(reader, read.message, end);
    return isOver ? this.#stored(reader, read) : undefined;
  }

  /** The outcome with which a wait ended; undefined when it ended without one. */
  async sentBy(reader: string, message: MessageRow, end: WaitEnd): Promise<SentOutcome | undefined> {
    if (end.kind !== 'outcome') return undefined;
    const { outcome, bytes, receipt } = end;
    if (outcome !== undefined) return { message, outcome, receipt, share: NO_SHARE };
    try {
      const stored = await this.#stored(reader, { message, omittedBytes: bytes });
      if (stored !== undefined) return { ...stored, receipt };
    } catch (error) {
      receipt.report(false);
      throw error;
    }
    receipt.report(false);
    return undefined;
  }

  async #stored(reader: string, read: ReadMessage): Promise<SentOutcome | undefined> {
    const held = await this.#options.answers.hold(reader, read);
    if (held === undefined) return undefined;
    const outcome = storedOutcome(held.message);
    if (outcome !== undefined) return { ...held, outcome, receipt: undefined };
    held.share.release();
    return undefined;
  }

  async #readTask(task: TaskReference): Promise<{ readonly id: string; readonly read: ReadMessage }> {
    const { answers, lookup } = this.#options;
    const found = await lookup.find(task);
    const latest = await lookup.findLatest(found);
    return { id: taskIdOf(found, task.reference), read: await answers.readAnswerOf(latest) };
  }
}
