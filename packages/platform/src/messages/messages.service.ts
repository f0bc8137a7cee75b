import type { JsonObject, MessageRecord, QueuedResponse, ReplyAccepted } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import { type IncomingMessage, MessageAcceptance } from './accept/accept-message.service.ts';
import { isHeld, queuedResponse } from './delivery.rules.ts';
import { type MessageRow, MessageStore } from './message.store.ts';
import { MessageQueue } from './message-queue.ts';
import { CallerReceipts } from './outcome/caller-receipts.ts';
import { type Outcome, requestIdOf, storedOutcome } from './outcome/outcome.rules.ts';
import { type OutcomeListener, OutcomeRecorder } from './outcome/outcome-recorder.ts';
import { type OutcomeReceipt, type OutcomeWaiter, OutcomeWaiters } from './outcome/outcome-waiters.ts';
import { newLeaseOwner } from './push/lease-owner.ts';
import { PushAttempts, type PushAuthorization } from './push/push-attempt.ts';
import { createPushEndpoint, type PushEndpoint } from './push/push-endpoint.ts';
import { PushScheduler } from './push/push-scheduler.ts';

const REACHABLE_EVENTS: ReadonlySet<string> = new Set(['WORKSPACE_ONLINE', 'WORKSPACE_UPDATED']);

/** The client of a request that may be held. */
export type WaitingClient = Pick<ClientConnection, 'gone' | 'onGone'>;

/** An outcome for a client; `receipt` records whether the client received it. */
export interface SentOutcome {
  readonly outcome: Outcome;
  readonly receipt: OutcomeReceipt | undefined;
}

/** The result for the sender of a message. */
export type SendResult =
  | { readonly kind: 'reply'; readonly body: ReplyAccepted }
  | ({ readonly kind: 'outcome' } & SentOutcome)
  | { readonly kind: 'queued'; readonly body: QueuedResponse };

/** The state of a message for its sender. */
export interface MessageStatus {
  readonly record: Omit<MessageRecord, 'answer' | 'error'>;
  readonly sent: SentOutcome | undefined;
}

/** Identifies a message. */
export interface MessageReference {
  /** The caller of the message; for an operator's own messages their target. */
  readonly workspaceId: string;
  readonly messageId: string;
  readonly byOperator: boolean;
}

export interface MessagesServiceOptions extends PlatformContext {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceDirectory;
  readonly hierarchy: HierarchyService;
  /** Returns headers with which the agent can verify a push. @default none */
  readonly authorizePush?: PushAuthorization | undefined;
  /** From 0 to 1; the jitter of retries. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Messages between workspaces: accepted durably, delivered at least once, answered. */
export class MessagesService {
  readonly #options: MessagesServiceOptions;
  readonly #store: MessageStore;
  readonly #waiters: OutcomeWaiters;
  readonly #receipts: CallerReceipts;
  readonly #outcomes: OutcomeRecorder;
  readonly #endpoint: PushEndpoint;
  readonly #scheduler: PushScheduler;
  readonly #acceptance: MessageAcceptance;
  readonly #tasks: RepeatedTasks;
  readonly #unsubscribe: () => void;

  constructor(options: MessagesServiceOptions) {
    this.#options = options;
    const { addressGuard: guard, bus, clock, logger, settings, shutdown } = options;
    const owner = newLeaseOwner();
    const random = options.random ?? Math.random;
    const store = new MessageStore(options);
    const queue = new MessageQueue(options);
    const waiters = new OutcomeWaiters(clock);
    const receipts = new CallerReceipts({ ...options, store });
    const outcomes = new OutcomeRecorder({ ...options, store, queue, waiters, receipts });
    const endpoint = createPushEndpoint({ clock, guard, timeoutMs: settings.pushTimeoutMs });
    const authorize = options.authorizePush;
    const attempts = new PushAttempts({ ...options, store, outcomes, endpoint, owner, authorize, random });
    const scheduler = new PushScheduler({ ...options, store, queue, attempts, waiters, owner });
    this.#acceptance = new MessageAcceptance({ ...options, store, queue, outcomes, scheduler });
    this.#store = store;
    this.#waiters = waiters;
    this.#receipts = receipts;
    this.#outcomes = outcomes;
    this.#endpoint = endpoint;
    this.#scheduler = scheduler;
    this.#tasks = new RepeatedTasks(clock, logger);
    shutdown.addEventListener('abort', () => waiters.close(), { once: true });
    this.#unsubscribe = bus.subscribe(({ type, workspaceId }) => {
      // The agent is online again, or its address was changed: deliver its pending messages.
      if (workspaceId !== null && REACHABLE_EVENTS.has(type)) scheduler.retry(workspaceId);
    });
  }

  /** Stores a message and holds the client up to `holdSeconds` when an answer can arrive soon. */
  async send(incoming: IncomingMessage, holdSeconds: number, client: WaitingClient): Promise<SendResult> {
    const { view } = incoming.message;
    let waiter: OutcomeWaiter | undefined;
    const accepted = await this.#acceptance.accept(incoming, (row, plan) => {
      if (holdSeconds > 0 && isHeld(plan, view)) waiter = this.#wait(row.id, holdSeconds, client, true);
    });
    if (accepted.kind === 'reply') return accepted;
    const { row, target, plan } = accepted;
    if (waiter !== undefined) {
      const end = await waiter.done;
      return end.kind === 'outcome' ? end : this.#queued(row, target);
    }
    // The call is not held, or the message is a repeat, which may already have an outcome.
    const sent = await this.#waitFor(row.id, isHeld(plan, view) ? holdSeconds : 0, client, true);
    return sent === undefined ? this.#queued(row, target) : { kind: 'outcome', ...sent };
  }

  /** The state of a message, after waiting up to `waitSeconds` for its outcome. 404 when there is none. */
  async getStatus(
    reference: MessageReference,
    waitSeconds: number,
    client: WaitingClient,
  ): Promise<MessageStatus> {
    const found = await this.#find(reference);
    if (found === undefined) throw messageNotFound(reference.messageId);
    const isCaller = !reference.byOperator || found.source_id === null;
    const sent = await this.#waitFor(found.id, waitSeconds, client, isCaller);
    const row = (await this.#store.find(found.id)) ?? found;
    const target = await this.#options.workspaces.find(row.target_id);
    return { record: toRecord(row, target?.status === 'paused'), sent };
  }

  /**
   * Answers the message of a person to this workspace, named by message id or row id; false when there is none without
   * an answer. `answerFor` creates the answer with the JSON-RPC id of the request.
   */
  async answerCanvas(
    unit: UnitOfWork,
    workspaceId: string,
    inReplyTo: string,
    answerFor: (requestId: string | number | null) => JsonObject,
  ): Promise<boolean> {
    for (;;) {
      const request = await this.#store.findAnswered(CANVAS_CALLER, workspaceId, inReplyTo, unit.trx);
      if (request === undefined || request.delivery_state === 'answered') return false;
      const answer = answerFor(requestIdOf(request));
      if ((await this.#outcomes.answer(unit, request, answer)) !== undefined) return true;
    }
  }

  /** In the transaction of a removal: fails the open messages to these workspaces. */
  async failMessagesOf(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<void> {
    for (const message of await this.#store.listOpen(workspaceIds, unit.trx)) {
      await this.#outcomes.fail(unit, message, {
        error: 'workspace removed',
        code: 'workspace_removed',
        id: message.target_id,
        deleted: true,
        delivered: message.delivery_state === 'delivered' || message.delivery_state === 'acknowledged',
      });
    }
    for (const workspaceId of workspaceIds) this.#endpoint.forget(workspaceId);
  }

  /** The listener runs in the transaction that records the outcome of a message. */
  onOutcome(listener: OutcomeListener): void {
    this.#outcomes.onOutcome(listener);
  }

  start(): void {
    const { drainEveryMs } = this.#options.settings;
    this.#tasks.once('deliver unconfirmed outcomes', () => this.#outcomes.recover());
    this.#tasks.once('resume the queue', () => this.#scheduler.recover());
    this.#tasks.every('drain the queue', drainEveryMs, () => this.#scheduler.recover());
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#waiters.close();
    await this.#tasks.stop();
    await this.#scheduler.stop();
    await this.#endpoint.close();
    await this.#receipts.close();
  }

  #wait(id: string, seconds: number, client: WaitingClient, isCaller: boolean): OutcomeWaiter {
    const waiter = this.#waiters.wait(id, seconds * 1_000, isCaller);
    client.onGone(() => waiter.end());
    return waiter;
  }

  /** Waits for the outcome of a stored message. Registers before reading the row, so that no commit is missed. */
  async #waitFor(
    id: string,
    seconds: number,
    client: WaitingClient,
    isCaller: boolean,
  ): Promise<SentOutcome | undefined> {
    const waiter = seconds > 0 ? this.#wait(id, seconds, client, isCaller) : undefined;
    const row = await this.#store.find(id);
    const outcome = row === undefined ? undefined : storedOutcome(row);
    if (outcome !== undefined) waiter?.end();
    const end = await waiter?.done;
    if (end?.kind === 'outcome') return end;
    return outcome === undefined ? undefined : { outcome, receipt: undefined };
  }

  async #queued(row: MessageRow, target: WorkspaceRow): Promise<SendResult> {
    const depth = await this.#options.activity.pendingCount(target.id);
    return { kind: 'queued', body: queuedResponse(row, target, depth) };
  }

  async #find({ workspaceId, messageId, byOperator }: MessageReference): Promise<MessageRow | undefined> {
    const own = await this.#store.findByCaller(workspaceId, messageId);
    if (own !== undefined || !byOperator) return own;
    const fromCanvas = await this.#store.findByCaller(CANVAS_CALLER, messageId);
    return fromCanvas?.target_id === workspaceId ? fromCanvas : undefined;
  }
}

/** Delivery state → state of `GET …/messages/:id`. */
const MESSAGE_STATES: Readonly<Record<string, MessageRecord['state']>> = {
  pending: 'queued',
  leased: 'queued',
  delivered: 'delivered',
  acknowledged: 'delivered',
  answered: 'answered',
  failed: 'failed',
};

function toRecord(row: MessageRow, isTargetPaused: boolean): MessageStatus['record'] {
  const state = MESSAGE_STATES[row.delivery_state] ?? 'queued';
  return {
    message_id: row.message_id,
    queue_id: row.id,
    // A reply to a held call is on no feed; the message that it answers is.
    activity_id: row.workspace_id === null ? (row.answers_id ?? row.id) : row.id,
    caller_id: row.source_id,
    target_id: row.target_id,
    state,
    held: isTargetPaused && state === 'queued',
    attempts: row.attempts,
    created_at: row.created_at,
    answered_at: row.ended_at,
  };
}

function messageNotFound(messageId: string): HttpError {
  return new HttpError(404, 'message_not_found', 'message not found', { extras: { message_id: messageId } });
}
