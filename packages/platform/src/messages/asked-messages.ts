import {
  type ErrorBody,
  isColumnText,
  isEnded,
  isJsonObject,
  MESSAGE_STATES,
  type MessageSummary,
  type MessageView,
} from '@molecule-ai/protocol';
import type { ControlRows } from '../activity/control-rows.ts';
import type { Queryable, UnitOfWork } from '../database/platform-database.ts';
import { CANVAS_CALLER, type MessageRow } from '../database/schema.ts';
import { HttpError, invalidField } from '../http/http-error.ts';
import { parseTime, type QueryValues } from '../http/mount.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { isSmall, type MemoryShare, NO_SHARE, ResponseMemory } from '../waiting/response-memory.ts';
import { directCaller, type MessageHead, type SentMessageFilter, withoutAnswer } from './message.store.ts';
import { type Failure, messageStateOf, type Outcome, outcomeCode, storedOutcome } from './outcome.ts';
import type { AgentNotices } from './push/agent-notices.ts';
import type { FoundTask } from './response.ts';
import type { MessageParts } from './transitions.ts';
import type { OutcomeReceipt, OutcomeWaiter, OutcomeWaiters, WaitEnd } from './waiters.ts';

/** Memory for each byte of a stored answer while a response is made of it: it is parsed, and its text may be there twice. */
const MEMORY_FACTOR = 2;

/** Who asks about which message. */
export interface TaskReference {
  /** The calling workspace; null for operators. */
  readonly callerId: string | null;
  /** The workspace in the path: the target of the message, or the caller itself. */
  readonly workspaceId: string;
  /** The row id or the message id of the message, or the agent's own id of the task that answered it. */
  readonly reference: string;
}

/** Identifies a message by its message id. */
interface MessageReference {
  /** The caller of the message; for an operator's own messages their target. */
  readonly workspaceId: string;
  readonly messageId: string;
  readonly byOperator: boolean;
}

/** The client of a request that may be held. */
export type WaitingClient = Pick<ClientConnection, 'gone' | 'onGone'>;

/** A message as it was read. */
interface ReadMessage {
  readonly message: MessageRow;
  /** The size of its answer if that is large, and was left out; 0 for others. */
  readonly omittedBytes: number;
}

/** A message with its answer, whose memory is to be released when the response with it was written. */
interface HeldMessage {
  readonly message: MessageRow;
  readonly share: MemoryShare;
}

/** An outcome on its way to a client, of whom is then recorded whether it received it. */
export interface SentOutcome extends HeldMessage {
  readonly outcome: Outcome;
  readonly receipt: OutcomeReceipt | undefined;
}

/** The state of a message for its sender. */
interface MessageStatus {
  readonly record: MessageFacts;
  readonly sent: SentOutcome | undefined;
}

interface AskedMessagesOptions extends MessageParts {
  readonly control: ControlRows;
  readonly notices: AgentNotices;
}

/**
 * Messages for those who ask about them, with or without a wait for their outcomes. A large answer is read only while there
 * is memory for the response: whoever waits for that keeps none of it, and after 10 s gets an HttpError 503
 * `platform_unavailable`. Who may ask about a message may also cancel it.
 */
export class AskedMessages {
  readonly #options: AskedMessagesOptions;
  readonly #memory: ResponseMemory;

  constructor(options: AskedMessagesOptions) {
    this.#options = options;
    this.#memory = new ResponseMemory(options);
  }

  /**
   * Finds a message for its sender or an operator.
   * @throws HttpError 404 `message_not_found`, also for a message of another sender; 409 `message_id_conflict` when
   * several have the message id.
   */
  async find(task: TaskReference, db?: Queryable): Promise<MessageRow> {
    const { callerId, workspaceId, reference } = task;
    const { store } = this.#options;
    const sender = callerId ?? CANVAS_CALLER;
    const asSent = await store.findByCaller({ caller: sender, messageId: reference }, db);
    if (isMeant(asSent, task)) return asSent;
    const byRow = await store.find({ id: reference.toLowerCase() }, db);
    if (isMeant(byRow, task)) return byRow;
    const byTask = await store.findByAgentTask(
      { caller: sender, targetId: workspaceId, taskId: reference },
      db,
    );
    if (isMeant(byTask, task)) return byTask;
    const hint = 'Only the sender of a message or an operator asks about it or cancels it.';
    return onlyOne(await this.#listOthers(task, db), messageNotFound(reference.slice(0, 256), hint));
  }

  /**
   * The message that is asked for, or the latest one that continues the same task of its agent, and the id under which its
   * sender asks for that. @throws as `find`
   */
  async findLatest(task: TaskReference): Promise<FoundTask> {
    const found = await this.find(task);
    const { agent_task_id: taskId, source_id: sourceId, target_id: targetId } = found;
    const id = taskIdOf(found, task.reference);
    if (taskId === null) return { id, message: found };
    const sender = sourceId ?? CANVAS_CALLER;
    const latest = await this.#options.store.findByAgentTask({ caller: sender, targetId, taskId });
    return { id, message: latest ?? found };
  }

  /** A message with its answer, for its sender or an operator. @throws as `find` */
  async findTask(task: TaskReference): Promise<FoundTask & HeldMessage> {
    const { id, message } = await this.findLatest(task);
    const read = withoutLargeAnswer(await this.#options.store.withAnswer(message));
    const held = await this.hold(readerOf(task.callerId, task.workspaceId), read);
    return { id, ...(held ?? { message: read.message, share: NO_SHARE }) };
  }

  /**
   * The state of a message that a workspace, or an operator, sent, after waiting up to `waitSeconds` for its outcome.
   * @throws HttpError 404 `message_not_found`, 409 `message_id_conflict` when agents name several by this id.
   */
  async getStatus(
    reference: MessageReference,
    waitSeconds: number,
    client: WaitingClient,
  ): Promise<MessageStatus> {
    const { store, workspaces } = this.#options;
    const { workspaceId, byOperator } = reference;
    const found = withoutAnswer(await this.#findSent(reference));
    const by = !byOperator || found.source_id === null ? 'caller' : 'another';
    const reader = readerOf(byOperator ? null : workspaceId, workspaceId);
    const sent = await this.waitFor(reader, found.id, waitSeconds, client, by);
    try {
      const row = (await store.find({ id: found.id })) ?? found;
      const target = await workspaces.find(row.target_id);
      return { record: toRecord(row, target?.status === 'paused'), sent };
    } catch (error) {
      sent?.share.release();
      sent?.receipt?.report(false);
      throw error;
    }
  }

  /** What a workspace sent, the latest change first, answers left out: how a restarted sender learns the ends that it missed. */
  async listSent(workspaceId: string, filter: SentMessageFilter): Promise<SentMessagePage> {
    const { store, workspaces } = this.#options;
    await workspaces.require(workspaceId);
    const rows = await store.listSent(workspaceId, filter);
    const page = rows.slice(0, filter.limit);
    const targets = await workspaces.findAll([...new Set(page.map((row) => row.target_id))]);
    const paused = new Set(targets.filter(({ status }) => status === 'paused').map(({ id }) => id));
    const messages = page.map((row) => ({
      ...toRecord(row, paused.has(row.target_id)),
      code: outcomeCode(storedOutcome(row)) ?? null,
    }));
    return { messages, hasMore: rows.length > filter.limit };
  }

  wait(
    id: string,
    seconds: number,
    client: WaitingClient,
    by: Parameters<OutcomeWaiters['wait']>[2],
  ): OutcomeWaiter {
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
    by: Parameters<OutcomeWaiters['wait']>[2],
  ): Promise<SentOutcome | undefined> {
    const waiter = seconds > 0 ? this.wait(id, seconds, client, by) : undefined;
    const read = await this.read(id);
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
    let stored: SentOutcome | undefined;
    try {
      stored = await this.#stored(reader, { message, omittedBytes: bytes });
    } finally {
      if (stored === undefined) receipt.report(false);
    }
    return stored && { ...stored, receipt };
  }

  async read(id: string): Promise<ReadMessage | undefined> {
    const message = await this.#options.store.findWithAnswer(id);
    return message && withoutLargeAnswer(message);
  }

  /**
   * A message with its answer, also a large one; undefined when it was deleted since. `reader` names whose responses are
   * counted together.
   */
  async hold(
    reader: string,
    { message: known, omittedBytes }: ReadMessage,
  ): Promise<HeldMessage | undefined> {
    if (omittedBytes === 0) return { message: known, share: NO_SHARE };
    const share = await this.#memory.reserve(reader, omittedBytes * MEMORY_FACTOR);
    let message: MessageRow | undefined;
    try {
      message = await this.#options.store.findWithAnswer(known.id);
    } finally {
      if (message === undefined) share.release();
    }
    return message && { message, share };
  }

  /**
   * Ends a message as canceled, unless it has ended, and returns it as it is then. Its agent learns of it by a control
   * row, and by a push when it was pushed.
   * @throws HttpError 404 `message_not_found`, also for a message of another sender.
   */
  cancel(task: TaskReference): Promise<MessageRow> {
    const { database, store } = this.#options;
    return database.transaction(async (unit) => {
      for (;;) {
        const message = await this.find(task, unit.trx);
        if (isEnded(message.delivery_state)) return message;
        if (!(await this.#cancelOne(unit, message))) continue;
        let next = message.continued_by;
        // What continues it is what the agent works on now.
        while (next !== null) {
          const later = await store.find({ id: next }, unit.trx);
          if (later === undefined) break;
          if (isEnded(later.delivery_state) || (await this.#cancelOne(unit, later)))
            next = later.continued_by;
        }
        return (await store.find({ id: message.id }, unit.trx)) ?? message;
      }
    });
  }

  /** Ends a message and lets its agent know; false when it was changed since it was read. */
  async #cancelOne(unit: UnitOfWork, message: MessageRow): Promise<boolean> {
    const { control, notices, transitions } = this.#options;
    const end = await transitions.end(unit, message, { state: 'canceled' }, { isKnown: true });
    if (end === undefined) return false;
    const { id: activityId, target_id: workspaceId, message_id: messageId } = message;
    await control.add(unit, { workspaceId, activityId, messageId });
    if (message.attempts > 0 || message.delivery_state === 'leased') {
      unit.afterCommit(() => notices.cancel(message));
    }
    return true;
  }

  async #stored(reader: string, read: ReadMessage): Promise<SentOutcome | undefined> {
    const held = await this.hold(reader, read);
    const outcome = held && storedOutcome(held.message);
    if (outcome === undefined) held?.share.release();
    return outcome && held && { ...held, outcome, receipt: undefined };
  }

  async #findSent({ workspaceId, messageId, byOperator }: MessageReference): Promise<MessageRow> {
    const { store } = this.#options;
    const sent = await store.findByCaller({ caller: workspaceId, messageId });
    if (sent !== undefined) return sent;
    const direct = await store.listDirect({ sourceId: workspaceId, messageId });
    if (direct.length > 0) return onlyOne(direct);
    const fromCanvas = byOperator
      ? await store.findByCaller({ caller: CANVAS_CALLER, messageId })
      : undefined;
    if (fromCanvas?.target_id === workspaceId) return fromCanvas;
    const byRow = await store.find({ id: messageId.toLowerCase() });
    if (byRow?.source_id === workspaceId && byRow.message_id !== null) return byRow;
    throw messageNotFound(messageId);
  }

  /** Messages by their message id: of a sender those that it did not send through the platform, for operators all. */
  async #listOthers(
    { callerId, workspaceId, reference }: TaskReference,
    db?: Queryable,
  ): Promise<readonly MessageRow[]> {
    const { store } = this.#options;
    if (callerId !== null && callerId !== workspaceId) {
      const direct = await store.findByCaller(
        { caller: directCaller(workspaceId, callerId), messageId: reference },
        db,
      );
      return direct === undefined ? [] : [direct];
    }
    const sent =
      callerId === null
        ? await store.findByCaller({ caller: workspaceId, messageId: reference }, db)
        : undefined;
    if (sent !== undefined && sent.answers_id === null) return [sent];
    const direct = await store.listDirect({ sourceId: workspaceId, messageId: reference }, db);
    if (callerId !== null || direct.length > 0) return direct;
    return store.listOnFeed({ workspaceId, messageId: reference }, db);
  }
}

/** Whose responses are counted together: those to a workspace, and of operators those about one workspace. */
export function readerOf(callerId: string | null, workspaceId: string): string {
  return callerId ?? `operators:${workspaceId}`;
}

function withoutLargeAnswer(message: MessageRow): ReadMessage {
  const bytes = message.response_body?.length ?? 0;
  return isSmall(bytes)
    ? { message, omittedBytes: 0 }
    : { message: withoutAnswer(message), omittedBytes: bytes };
}

/** @throws `error` for none, HttpError 409 `message_id_conflict` for several, which names their row ids. */
function onlyOne(messages: readonly MessageRow[], error?: HttpError): MessageRow {
  const [first, ...others] = messages;
  if (first !== undefined && others.length === 0) return first;
  if (first === undefined && error !== undefined) throw error;
  throw new HttpError(409, 'message_id_conflict', 'several messages have this id', {
    message_id: first?.message_id ?? '',
    hint: `Name one by its row id: ${messages.map(({ id }) => id).join(', ')}.`,
  });
}

/** Whether it is a message of the asking one, and the workspace in the path its target or its sender. */
function isMeant(
  message: MessageRow | undefined,
  { callerId, workspaceId }: TaskReference,
): message is MessageRow {
  if (message === undefined || message.message_id === null) return false;
  const isOfCaller = callerId === null || message.source_id === callerId;
  return isOfCaller && (message.workspace_id === workspaceId || message.source_id === workspaceId);
}

/** The id of a task for those who asked for it: the row id, or the agent's own id for those who named that. */
export function taskIdOf({ id, agent_task_id: agentId }: MessageRow, reference: string): string {
  return agentId === reference ? reference : id;
}

/**
 * The message that `tasks/get` and `tasks/cancel` name.
 * @throws HttpError 400 `invalid_message` when they name none.
 */
export function taskReference({ params }: MessageView): string {
  const { id, task_id: snakeCase, taskId: camelCase } = params;
  const named = [id, snakeCase, camelCase].find((value) => typeof value === 'string' && value !== '');
  if (typeof named === 'string' && isColumnText(named)) return named;
  throw invalidField('params.id', 'invalid message: params.id must name the message', 'invalid_message');
}

/** Whether `tasks/get` asks for what the task was about. @throws HttpError 400 `invalid_message` for no count. */
export function wantsHistory({ params: { historyLength: length } }: MessageView): boolean {
  if (length === undefined || length === null) return false;
  if (Number.isInteger(length) && Number(length) >= 0) return length !== 0;
  const text = 'invalid message: params.historyLength must be a whole number';
  throw invalidField('params.historyLength', text, 'invalid_message');
}

/** Whether a message asks for its task instead of its answer: `blocking` in A2A 0.3, `returnImmediately` in 1.0. */
export function wantsTaskAtOnce({ params: { configuration } }: MessageView): boolean {
  if (!isJsonObject(configuration)) return false;
  return configuration.blocking === false || configuration.returnImmediately === true;
}

/** @throws HttpError 409 `message_ended` for a message that had ended otherwise before it was canceled. */
export function requireCanceled(message: MessageRow): void {
  const state = messageStateOf(message);
  if (state === 'canceled') return;
  throw new HttpError(409, 'message_ended', 'the message has ended', {
    message_id: message.message_id,
    status: state,
    hint: 'Ask for its end with tasks/get.',
  });
}

/** What both a record and a list say of a message. */
type MessageFacts = Omit<MessageSummary, 'code'> & { readonly queue_id: string };

interface SentMessagePage {
  readonly messages: MessageSummary[];
  readonly hasMore: boolean;
}

function toRecord(row: MessageHead & Partial<MessageRow>, isTargetPaused: boolean): MessageFacts {
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

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** The states of rows that are one state on the wire. */
const ROW_STATES: Readonly<Record<string, readonly string[]>> = {
  queued: ['pending', 'leased'],
  delivered: ['delivered', 'acknowledged'],
};

/** Reads the query of `GET /workspaces/:id/messages`; 400 naming the field for what cannot be meant. */
export function parseSentQuery({ state, since, limit }: QueryValues): SentMessageFilter {
  return { states: parseStates(state ?? ''), since: parseTime(since, 'since'), limit: parseLimit(limit) };
}

function parseStates(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  const asked = words.filter((word) => word !== '');
  const states = MESSAGE_STATES.filter((state) => {
    const group = isEnded(state) ? 'ended' : 'open';
    return asked.length === 0 || asked.includes(state) || asked.includes(group);
  });
  const known: readonly string[] = [...MESSAGE_STATES, 'open', 'ended'];
  const unknown = asked.find((word) => !known.includes(word));
  if (unknown !== undefined) throw invalidField('state', `state must be of ${known.join(', ')}`);
  return states.flatMap((state) => ROW_STATES[state] ?? [state]);
}

function parseLimit(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_LIMIT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalidField('limit', `limit must be a whole number from 1 to ${MAX_LIMIT}`);
}

/** The error of a reference to a message that there is not, or not for this caller. */
function messageNotFound(messageId: string, hint?: string): HttpError {
  const extras = { message_id: messageId, ...(hint === undefined ? {} : { hint }) };
  return new HttpError(404, 'message_not_found', 'message not found', extras);
}
