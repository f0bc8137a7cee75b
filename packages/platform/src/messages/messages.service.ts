import type { JsonObject, QueuedResponse, ReplyAccepted, ReplyIgnored } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import type { PeerTokensService } from '../peer-tokens/peer-tokens.service.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import { MessageAcceptance } from './accept/accept-message.service.ts';
import type { IncomingMessage } from './accept/acceptance.rules.ts';
import type { AnswerRecorder } from './accept/carried-answers.rules.ts';
import { LoopGuard } from './accept/loop-guard.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { AskedMessages, readerOf, type SentOutcome, type WaitingClient } from './asked-messages.ts';
import { Cancellation } from './cancellation.ts';
import { Continuations } from './continuations.ts';
import { isHeld, queuedResponse } from './delivery.rules.ts';
import { InboxRoom } from './inbox-room.ts';
import { type MessageRow, MessageStore } from './message.store.ts';
import { MessageQueue } from './message-queue.ts';
import { MisplacedReplies } from './misplaced-replies.ts';
import { CallerReceipts } from './outcome/caller-receipts.ts';
import { MessageExpiry } from './outcome/message-expiry.ts';
import { deliveryFailure, messageStateOf, requestIdOf } from './outcome/outcome.rules.ts';
import { OutcomeStore } from './outcome/outcome.store.ts';
import { OutcomeDelivery } from './outcome/outcome-delivery.ts';
import { OutcomeRecorder } from './outcome/outcome-recorder.ts';
import { type OutcomeWaiter, OutcomeWaiters } from './outcome/outcome-waiters.ts';
import { AgentEndpoint } from './push/agent-endpoint.ts';
import { AgentNotices } from './push/agent-notices.ts';
import { PushRequests } from './push/push-requests.ts';
import { PushScheduler } from './push/push-scheduler.ts';
import { QueueDepth } from './queue-depth.ts';
import { type SentMessageFilter, type SentMessagePage, SentMessages } from './sent-messages.ts';
import { AnswerMemory } from './streams/answer-memory.ts';
import { AnswerStreams } from './streams/answer-streams.ts';
import { MessageStreams } from './streams/message-streams.ts';
import { Progress } from './streams/progress.ts';

export type { MessageRow } from './message.store.ts';

const REACHABLE_EVENTS: ReadonlySet<string> = new Set(['WORKSPACE_ONLINE', 'WORKSPACE_UPDATED']);

/** The result for the sender of a message. */
export type SendResult =
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  | ({ readonly kind: 'outcome' } & SentOutcome)
  | { readonly kind: 'queued'; readonly body: QueuedResponse; readonly message: MessageRow };

export interface MessagesServiceOptions extends PlatformContext {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceDirectory;
  readonly hierarchy: HierarchyService;
  readonly peerTokens: PeerTokensService;
  /** From 0 to 1; the jitter of retries. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Messages between workspaces: accepted durably, delivered at least once, answered. */
export class MessagesService {
  /** Ends, interrupts and continues messages; for the rooms above this one. */
  readonly outcomes: OutcomeRecorder;
  readonly cancellation: Cancellation;
  readonly acknowledgements: Acknowledgements;
  /** Tells agents with servers that they were paused, resumed or removed. */
  readonly notices: AgentNotices;
  /** Interrupts messages by questions and continues them with the answers. */
  readonly continuations: Continuations;
  /** Answers that are read while they are made. */
  readonly streams: MessageStreams;
  readonly progress: Progress;
  /** What senders and operators ask about messages. */
  readonly asked: AskedMessages;
  readonly #options: MessagesServiceOptions;
  readonly #store: MessageStore;
  readonly #waiters: OutcomeWaiters;
  readonly #receipts: CallerReceipts;
  readonly #delivery: OutcomeDelivery;
  readonly #expiry: MessageExpiry;
  readonly #depth: QueueDepth;
  readonly #endpoint: AgentEndpoint;
  readonly #scheduler: PushScheduler;
  readonly #acceptance: MessageAcceptance;
  readonly #sent: SentMessages;
  readonly #tasks: RepeatedTasks;
  readonly #unsubscribe: () => void;

  constructor(options: MessagesServiceOptions) {
    this.#options = options;
    const { addressGuard: guard, bus, clock, logger, settings, shutdown } = options;
    const store = new MessageStore(options);
    const room = new InboxRoom(options);
    const queue = new MessageQueue({ ...options, room });
    const waiters = new OutcomeWaiters(clock);
    const outcomeStore = new OutcomeStore(options);
    const receipts = new CallerReceipts({ ...options, store: outcomeStore });
    const delivery = new OutcomeDelivery({ ...options, store, outcomeStore, queue, receipts, room });
    const outcomes = new OutcomeRecorder({ ...options, store, waiters, delivery });
    const memory = new AnswerMemory();
    const endpoint = new AgentEndpoint({ clock, guard, memory, timeoutMs: settings.pushTimeoutMs });
    const streams = new AnswerStreams(memory);
    const requests = new PushRequests({ ...options, store });
    const pushing = { ...options, store, queue, outcomes, waiters, endpoint, requests, streams };
    const scheduler = new PushScheduler(pushing);
    const expiry = new MessageExpiry({ ...options, store, outcomeStore, outcomes });
    queue.onExpiring((expiresAt) => expiry.schedule(expiresAt));
    const loops = new LoopGuard(options);
    const continuations = new Continuations({ ...options, store, queue, outcomes, expiry });
    this.continuations = continuations;
    const misplaced = new MisplacedReplies(options);
    const accepting = { ...options, room, store, queue, outcomes, loops, scheduler, continuations };
    this.#acceptance = new MessageAcceptance({ ...accepting, misplaced });
    this.notices = new AgentNotices({ clock, logger, endpoint, requests });
    const asked = new AskedMessages({ ...options, store, outcomeStore, waiters });
    this.asked = asked;
    this.cancellation = new Cancellation({ ...options, store, outcomes, asked, notices: this.notices });
    const accept = this.#acceptance.accept.bind(this.#acceptance);
    this.streams = new MessageStreams({ accept, asked, store, streams, waiters });
    outcomes.onEnd(streams.onEnd);
    this.progress = new Progress({ ...options, store, streams });
    this.#store = store;
    this.#waiters = waiters;
    this.#receipts = receipts;
    this.outcomes = outcomes;
    this.acknowledgements = new Acknowledgements({ ...options, outcomes });
    this.#delivery = delivery;
    this.#expiry = expiry;
    this.#depth = new QueueDepth(options);
    this.#endpoint = endpoint;
    this.#scheduler = scheduler;
    this.#sent = new SentMessages(options);
    this.#tasks = new RepeatedTasks(clock, logger);
    shutdown.addEventListener('abort', () => waiters.close(), { once: true });
    this.#unsubscribe = bus.subscribe(({ type, workspaceId }) => {
      // The agent is online again, or its address was changed: deliver its pending messages.
      if (workspaceId !== null && REACHABLE_EVENTS.has(type)) scheduler.retry(workspaceId);
    });
  }

  /** Sets who records the answers that messages carry in `metadata.answers`; there is one. */
  recordAnswersWith(recorder: AnswerRecorder): void {
    this.#acceptance.recordAnswersWith(recorder);
  }

  /** Stores a message and holds the client up to `holdSeconds` when an answer can arrive soon. */
  async send(incoming: IncomingMessage, holdSeconds: number, client: WaitingClient): Promise<SendResult> {
    const { view } = incoming.message;
    let waiter: OutcomeWaiter | undefined;
    const { callerId, targetId } = incoming;
    const accepted = await this.#acceptance.accept(incoming, (row, plan) => {
      if (holdSeconds > 0 && isHeld(plan, view))
        waiter = this.asked.wait(row.id, holdSeconds, client, 'call');
    });
    if (accepted.kind === 'reply') return accepted;
    const { row, target, plan } = accepted;
    const reader = readerOf(callerId, targetId);
    const sent =
      waiter === undefined
        ? // The call is not held, or the message is a repeat, which may already have an outcome.
          await this.asked.waitFor(reader, row.id, isHeld(plan, view) ? holdSeconds : 0, client, 'call')
        : await this.asked.sentBy(reader, row, await waiter.done);
    return sent === undefined ? this.#queued(row, target) : { kind: 'outcome', ...sent };
  }

  /** What a workspace sent, the latest change first. 404 for an unknown workspace. */
  listSent(workspaceId: string, filter: SentMessageFilter): Promise<SentMessagePage> {
    return this.#sent.list(workspaceId, filter);
  }

  /** Finds what a person asked this workspace, by message id or row id. */
  findCanvasMessage(
    unit: UnitOfWork,
    workspaceId: string,
    reference: string,
  ): Promise<MessageRow | undefined> {
    return this.#store.findAnswered(CANVAS_CALLER, workspaceId, reference, unit.trx);
  }

  /**
   * Answers what a person asked; false when that message has ended. `answerFor` makes the answer under the JSON-RPC id
   * of the request.
   */
  answerCanvas(
    unit: UnitOfWork,
    question: MessageRow,
    answerFor: (requestId: string | number | null) => JsonObject,
  ): Promise<boolean> {
    const answer = answerFor(requestIdOf(question));
    return this.outcomes.endById(unit, question.id, { state: 'answered', answer });
  }

  /** In the transaction of a removal: fails the open messages to these workspaces. */
  async failMessagesOf(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<void> {
    for (const message of await this.#store.listOpen(workspaceIds, unit.trx)) {
      const failure = deliveryFailure({
        error: 'workspace removed',
        code: 'workspace_removed',
        id: message.target_id,
        deleted: true,
        delivered: messageStateOf(message) !== 'queued',
      });
      await this.outcomes.endMessage(unit, message, { state: 'failed', failure });
    }
    unit.afterCommit(() => {
      for (const workspaceId of workspaceIds) this.#endpoint.forget(workspaceId);
    });
  }

  start(): void {
    const { drainEveryMs } = this.#options.settings;
    this.#tasks.once('deliver outcomes that a killed process had not', () => this.#delivery.recover());
    this.#tasks.once('resume the queue', () => this.#scheduler.recover());
    this.#tasks.every('drain the queue', drainEveryMs, () => this.#scheduler.recover());
    this.#expiry.start();
    this.#depth.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#depth.stop();
    this.#waiters.close();
    await this.#tasks.stop();
    await this.#expiry.stop();
    await Promise.all([this.#scheduler.stop(), this.notices.stop()]);
    await this.#endpoint.close();
    await this.#receipts.close();
  }

  async #queued(row: MessageRow, target: WorkspaceRow): Promise<SendResult> {
    const depth = await this.#options.activity.pendingCount(target.id);
    return { kind: 'queued', body: queuedResponse(row, target, depth), message: row };
  }
}
