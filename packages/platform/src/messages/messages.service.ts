import {
  type AckRequest,
  type AckResponse,
  isEnded,
  type JsonObject,
  type Outcome as OutcomeReport,
  type QueuedResponse,
  type ReplyAccepted,
  type ReplyIgnored,
  type OutcomeReceipt as ReportReceipt,
} from '@molecule-ai/protocol';
import type { ControlRows } from '../activity/control-rows.ts';
import type { FeedWriter } from '../activity/feed-writer.ts';
import type { ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import { CANVAS_CALLER, type MessageRow, type WorkspaceRow } from '../database/schema.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import type { PeerTokensService } from '../peer-tokens/peer-tokens.service.ts';
import { telemetry } from '../telemetry/telemetry.ts';
import { type IncomingMessage, MessageAcceptance } from './accept/accept.ts';
import { AskedMessages, readerOf, type SentOutcome, type WaitingClient } from './asked-messages.ts';
import { isHeld, queuedResponse } from './delivery.rules.ts';
import { MessageExpiry } from './expiry.ts';
import { createMessageStore } from './message.store.ts';
import { deliveryFailure, type MessageEnd, messageStateOf, reportedEnd, requestIdOf } from './outcome.ts';
import { OutcomeFeed } from './outcome-feed.ts';
import { AgentEndpoint } from './push/agent-endpoint.ts';
import { AgentNotices } from './push/agent-notices.ts';
import { PushRequests } from './push/push-requests.ts';
import { PushScheduler } from './push/push-scheduler.ts';
import { QuestionsService } from './questions/questions.service.ts';
import { QuestionStore } from './questions/questions.store.ts';
import { MessageQueue } from './queue.ts';
import { AnswerMemory } from './streams/answer-memory.ts';
import { AnswerStreams } from './streams/answer-streams.ts';
import { MessageStreams } from './streams/message-streams.ts';
import { Progress } from './streams/progress.ts';
import { type MessageParts, Transitions } from './transitions.ts';
import { type OutcomeWaiter, OutcomeWaiters } from './waiters.ts';

/** How often the queue is checked for messages that no event triggered. */
const DRAIN_EVERY_MS = 15_000;
const REACHABLE_EVENTS = ['WORKSPACE_ONLINE', 'WORKSPACE_UPDATED'] as const;

/** The result for the sender of a message. */
type SendResult =
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  | ({ readonly kind: 'outcome' } & SentOutcome)
  | { readonly kind: 'queued'; readonly body: QueuedResponse; readonly message: MessageRow };

interface MessagesServiceOptions extends PlatformContext {
  readonly control: ControlRows;
  readonly feed: FeedWriter;
  readonly positions: ReadingPositions;
  readonly hierarchy: HierarchyService;
  readonly peerTokens: PeerTokensService;
}

const WAITING = { unit: '{message}', description: 'Messages that wait for their agent or are being pushed' };
const AGE = { unit: 's', description: 'Since when the oldest of these messages has waited' };

/** Messages between workspaces: accepted durably, delivered at least once, answered. */
export class MessagesService {
  /** Tells agents with servers that they were paused, resumed or removed. */
  readonly notices: AgentNotices;
  readonly questions: QuestionsService;
  readonly acceptance: MessageAcceptance;
  /** Answers that are read while they are made. */
  readonly streams: MessageStreams;
  readonly progress: Progress;
  /** What senders and operators ask about messages. */
  readonly asked: AskedMessages;
  readonly #options: MessagesServiceOptions;
  readonly #parts: MessageParts;
  readonly #expiry: MessageExpiry;
  readonly #endpoint: AgentEndpoint;
  readonly #scheduler: PushScheduler;
  #subscriptions: readonly (() => void)[] = [];

  constructor(options: MessagesServiceOptions) {
    this.#options = options;
    const { addressGuard: guard, clock, events, logger, settings, shutdown, tasks } = options;
    const store = createMessageStore(options);
    const queue = new MessageQueue({ ...options, store });
    const waiters = new OutcomeWaiters(clock);
    const outcomeFeed = new OutcomeFeed({ ...options, store, queue });
    const memory = new AnswerMemory();
    const streams = new AnswerStreams(memory);
    const questionStore = new QuestionStore(options);
    const shared = { ...options, outcomeFeed, questionStore, queue, store, streams, waiters };
    const parts = { ...shared, transitions: new Transitions(shared) };
    const questions = new QuestionsService(parts);
    const expiry = new MessageExpiry(parts);
    queue.onExpiring = expiry.schedule;
    const endpoint = new AgentEndpoint({ clock, guard, memory, timeoutMs: settings.limits.pushTimeoutMs });
    const requests = new PushRequests({ ...options, store });
    const scheduler = new PushScheduler({ ...parts, endpoint, questions, requests });
    this.acceptance = new MessageAcceptance({ ...parts, questions, scheduler });
    this.notices = new AgentNotices({ clock, logger, endpoint, requests });
    this.asked = new AskedMessages({ ...parts, notices: this.notices });
    this.streams = new MessageStreams({ ...parts, acceptance: this.acceptance, asked: this.asked });
    this.progress = new Progress(parts);
    this.questions = questions;
    this.#parts = parts;
    this.#expiry = expiry;
    this.#endpoint = endpoint;
    this.#scheduler = scheduler;
    tasks.atStart('deliver outcomes that a killed process had not', () => outcomeFeed.recover());
    tasks.atStart('resume the queue', () => scheduler.recover());
    tasks.every('drain the queue', DRAIN_EVERY_MS, () => scheduler.recover());
    shutdown.addEventListener('abort', () => waiters.close(), { once: true });
    // The agent is online again, or its address was changed: deliver its pending messages.
    const retry = (workspaceId: string) => scheduler.retry(workspaceId);
    this.#subscriptions = [events.subscribe(REACHABLE_EVENTS, retry)];
  }

  /** Stores a message and holds the client up to `holdSeconds` when an answer can arrive soon. */
  async send(incoming: IncomingMessage, holdSeconds: number, client: WaitingClient): Promise<SendResult> {
    const { view } = incoming.message;
    let waiter: OutcomeWaiter | undefined;
    const { callerId, targetId } = incoming;
    const accepted = await this.acceptance.accept(incoming, (row, plan) => {
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

  /**
   * Records how the handling of single messages ended, then how far the agent has finished its feed: what it covers
   * without an answer or an outcome ends as `unanswered`. 404, and nothing is recorded, for an unknown `up_to`; what a
   * pause hides is unknown.
   */
  acknowledge(workspaceId: string, { up_to: upTo, outcomes: reports }: AckRequest): Promise<AckResponse> {
    const { database, positions, workspaces } = this.#options;
    const { transitions } = this.#parts;
    return database.transaction(async (unit) => {
      const workspace = await workspaces.require(workspaceId, unit.trx);
      const receipts = [];
      for (const report of reports ?? []) receipts.push(await this.#report(unit, workspace, report));
      const { id, seq } = await positions.advance(unit, workspace, upTo ?? undefined);
      const acknowledged = upTo === undefined ? 0 : await transitions.finishUpTo(unit, workspaceId, seq);
      return {
        status: 'acknowledged',
        up_to: id,
        seq,
        acknowledged,
        ...(reports === undefined ? {} : { outcomes: receipts }),
      };
    });
  }

  /**
   * Records what an agent reports about a message of its feed, and returns the state of the message then. Whatever is
   * reported as the end of a message whose time is over, it has expired.
   */
  async #report(
    unit: UnitOfWork,
    { id: workspaceId, visible_seq: visibleSeq }: Pick<WorkspaceRow, 'id' | 'visible_seq'>,
    report: OutcomeReport,
  ): Promise<ReportReceipt> {
    const { store, transitions } = this.#parts;
    const { activity_id: id } = report;
    const lastSeq = Number(visibleSeq ?? Number.POSITIVE_INFINITY);
    const reported = reportedEnd(report);
    for (;;) {
      const message = await store.find({ id: id.toLowerCase() }, unit.trx);
      const isOther = message?.workspace_id !== workspaceId || message.message_id === null;
      if (isOther || Number(message.seq) > lastSeq) return { activity_id: id, state: 'unknown' };
      const state = messageStateOf(message);
      const isOverdue = message.expires_at !== null && message.expires_at <= unit.at;
      const end: MessageEnd | undefined = reported && isOverdue ? { state: 'expired' } : reported;
      // A run that asked has ended; the message has not, and ends as the one that continues it.
      if (message.continued_by !== null) return { activity_id: id, state };
      const isAsking = state === 'input_required' && (end === undefined || end.state === 'unanswered');
      if (isEnded(state) || isAsking) return { activity_id: id, state };
      if (end === undefined) {
        const isTaken = state === 'delivered';
        if (isTaken || (await transitions.apply(unit, message, { kind: 'take' })) !== undefined)
          return { activity_id: id, state: 'delivered' };
      } else if ((await transitions.end(unit, message, end)) !== undefined) {
        return { activity_id: id, state: end.state };
      }
    }
  }

  /** Finds what a person asked this workspace, by message id or row id. */
  findCanvasMessage(
    unit: UnitOfWork,
    workspaceId: string,
    reference: string,
  ): Promise<MessageRow | undefined> {
    return this.#parts.store.findAnswered(CANVAS_CALLER, workspaceId, reference, unit.trx);
  }

  /**
   * Answers what a person asked; nothing happens when that message has ended. `answerFor` makes the answer under the JSON-RPC id
   * of the request.
   */
  async answerCanvas(
    unit: UnitOfWork,
    { id }: MessageRow,
    answerFor: (requestId: string | number | null) => JsonObject,
  ): Promise<void> {
    for (;;) {
      const question = await this.#parts.store.find({ id }, unit.trx);
      if (question === undefined || isEnded(question.delivery_state)) return;
      const answer = answerFor(requestIdOf(question));
      if ((await this.questions.takeAnswer(unit, question, answer)) !== undefined) return;
    }
  }

  /** In the transaction of a removal: fails the open messages to these workspaces. */
  async failMessagesOf(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<void> {
    for (const message of await this.#parts.store.listOpen(workspaceIds, unit.trx)) {
      const failure = deliveryFailure({
        error: 'workspace removed',
        code: 'workspace_removed',
        id: message.target_id,
        deleted: true,
        delivered: messageStateOf(message) !== 'queued',
      });
      await this.#parts.transitions.end(unit, message, { state: 'failed', failure });
    }
    unit.afterCommit(() => {
      for (const workspaceId of workspaceIds) this.#endpoint.forget(workspaceId);
    });
  }

  start(): void {
    const depth = { name: 'molecule.platform.queue.depth', ...WAITING };
    const age = { name: 'molecule.platform.queue.age', ...AGE };
    this.#subscriptions = [
      ...this.#subscriptions,
      telemetry.observe(depth, async (result) =>
        result.observe((await this.#parts.store.measureQueue()).depth),
      ),
      telemetry.observe(age, async (result) => result.observe(await this.#queueAge())),
    ];
  }

  async stop(): Promise<void> {
    for (const end of this.#subscriptions) end();
    this.#parts.waiters.close();
    this.#expiry.close();
    await Promise.all([this.#scheduler.stop(), this.notices.stop()]);
    await this.#endpoint.close();
    await this.#parts.outcomeFeed.close();
  }

  async #queued(row: MessageRow, target: WorkspaceRow): Promise<SendResult> {
    const depth = await this.#options.positions.countPending(target.id);
    return { kind: 'queued', body: queuedResponse(row, target, depth), message: row };
  }

  async #queueAge(): Promise<number> {
    const { oldest } = await this.#parts.store.measureQueue();
    return oldest === null ? 0 : Math.max(0, this.#options.clock.now() - Date.parse(oldest)) / 1_000;
  }
}
