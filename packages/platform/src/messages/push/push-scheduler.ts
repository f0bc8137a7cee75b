import { randomUUID } from 'node:crypto';
import { type ErrorBody, isEnded, isJsonObject } from '@molecule-ai/protocol';
import type { Operation, TraceContext } from '@molecule-ai/telemetry';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { MessageRow } from '../../database/schema.ts';
import { HttpError } from '../../http/http-error.ts';
import { knownCode, pushes, queued } from '../../telemetry/telemetry.ts';
import { timestamp } from '../../time/clock.ts';
import { canPush, LONGEST_RETRY_MS, pushRetryDelayMs, withJitter } from '../delivery.rules.ts';
import { deliveryFailure, endOfResponse, failedDelivery, type MessageEnd } from '../outcome.ts';
import type { QuestionsService } from '../questions/questions.service.ts';
import { type PassedHeaders, storedHeaders, storeHeaders, traceOf, withTrace } from '../request.ts';
import type { TextSource } from '../streams/answer-streams.ts';
import type { MessageParts } from '../transitions.ts';
import type { AgentEndpoint, PushResult } from './agent-endpoint.ts';
import { asksForStream, type PushContent, type PushRequests, viewOf } from './push-requests.ts';

/** Maximum number of concurrent pushes to one agent for messages that arrive at an empty queue. */
const MAX_LIVE_PUSHES = 64;
/** The database is read for work so often, although nothing is known of any, in milliseconds. */
/** Duration of the lease of a push attempt, which is renewed while the push runs. */
const LEASE_MS = 60_000;
const READ_EVERY_MS = 5 * 60_000;
/** An agent without a heartbeat for this share of the liveness window is treated as unreachable. */
const SILENT_SHARE = 2 / 3;
/** So many failing agents are remembered, so that the log names each of them once. */
const MAX_FAILING = 10_000;
/** Codes of JSON-RPC and of A2A: the agent does not know the method of a stream, or offers none. */
const REFUSES_STREAM: readonly unknown[] = [-32_601, -32_004];
const NOT_ACCEPTING = {
  error: 'the workspace agent accepts no messages now',
  code: 'not_accepting',
  delivered: false,
} as const satisfies ErrorBody;

interface PushSchedulerOptions extends MessageParts {
  readonly endpoint: AgentEndpoint;
  readonly questions: QuestionsService;
  readonly requests: PushRequests;
}

/** The state of one target in this process. */
interface TargetState {
  live: number;
  draining: number;
  checking: boolean;
  checkAgain: boolean;
  /** The queue was empty at the last check and nothing was added since. */
  empty: boolean;
  cancelRetry: () => void;
}

/** When a message is pushed again; `error` says why it was not delivered. */
interface Requeue {
  readonly attempts: number;
  /** Undefined: when the target is reachable again. */
  readonly delayMs?: number;
  readonly error?: ErrorBody;
}

/** What can end a message. */
type FinalResult = Exclude<PushResult, { kind: 'aborted' | 'not-accepting' }>;

/**
 * Pushes queued messages to their agents, each under a lease, in order for each target. A message that arrives at an
 * empty queue is pushed at once, up to 64 for one target, so that a nested call cannot wait for its own caller; a
 * backlog is drained oldest first, `max_concurrent_tasks` at a time. A message that waits for a retry delays those
 * behind it, so that they arrive in order and do not use up attempts.
 */
export class PushScheduler {
  readonly #options: PushSchedulerOptions;
  /** The name of this start of the platform, under which it holds leases. */
  readonly #owner = randomUUID();
  readonly #targets = new Map<string, TargetState>();
  readonly #running = new Set<Promise<void>>();
  /**
   * The messages whose attempt runs in this process, and whether their leases are renewed next time. They do not expire, whatever the wall
   * clock does.
   */
  readonly #inFlight = new Map<string, boolean>();
  #cancelRenewal: (() => void) | undefined;
  /** Workspaces whose last push failed, and that the log names. */
  readonly #failing = new Set<string>();
  readonly #stopping = new AbortController();
  /** Messages may be leased, or wait for a target to which they can be pushed. */
  #mayHaveWork = true;
  /** When the database was read for work last, on the monotonic clock. */
  #readAt = 0;

  constructor(options: PushSchedulerOptions) {
    this.#options = options;
    options.queue.onQueued = (targetId, isPushable) => {
      this.#stateOf(targetId).empty = false;
      if (isPushable) this.#drain(targetId);
    };
  }

  /** Whether the queue of this target is known to be empty; false before the first check. */
  isEmpty(targetId: string): boolean {
    return this.#targets.get(targetId)?.empty === true;
  }

  /**
   * Returns a lease for a message that is about to be stored, if it can be pushed right after the commit: the queue is
   * empty and the agent has capacity, of which one place is reserved. `push` uses the place, `release` frees it. Call it
   * inside the transaction, because the next message may be in the same commit.
   */
  async reserve(
    unit: UnitOfWork,
    targetId: string,
  ): Promise<{ readonly owner: string; readonly until: string } | undefined> {
    const state = this.#stateOf(targetId);
    const hasCapacity = !this.#stopping.signal.aborted && state.live < MAX_LIVE_PUSHES;
    const { store } = this.#options;
    const isFirst =
      hasCapacity && (state.empty || (await store.findNext({ targetId }, unit.trx)) === undefined);
    if (!isFirst) {
      state.empty = false;
      return undefined;
    }
    state.live += 1;
    unit.onRollback(() => this.release(targetId));
    return this.#newLease();
  }

  release(targetId: string): void {
    this.#stateOf(targetId).live -= 1;
  }

  /** Pushes a message that was stored with a lease of `reserve`. */
  push(message: MessageRow, content: PushContent): void {
    this.#mayHaveWork = true;
    const targetId = message.target_id;
    void this.#track(this.#attempt(message, content), () => {
      this.release(targetId);
      this.#drain(targetId);
    });
  }

  /** Pushes the pending messages of a workspace that may have become reachable. */
  retry(targetId: string): void {
    this.#stateOf(targetId).empty = false;
    this.#drain(targetId);
  }

  /**
   * Releases leases that have expired or whose process has ended, then drains every target with pending messages. Reads nothing when the
   * last call found neither, and nothing was pushed or drained since.
   */
  async recover(): Promise<void> {
    const { clock, database, store, workspaces } = this.#options;
    if (!this.#mayHaveWork && clock.monotonic() - this.#readAt < READ_EVERY_MS) return;
    const now = timestamp(clock);
    this.#mayHaveWork = false;
    // The next call reads again if this one fails.
    this.#readAt = Number.NEGATIVE_INFINITY;
    for (const message of await store.listLeased({})) {
      this.#mayHaveWork = true;
      if (this.#inFlight.has(message.id)) continue;
      const hasExpired = message.lease_until === null || message.lease_until < now;
      // No other process can use an embedded database, so a lease of another owner is that of one that has ended.
      const isAbandoned = database.isExclusive && message.lease_owner !== this.#owner;
      if (!hasExpired && !isAbandoned) continue;
      await this.#requeue(message, { attempts: message.attempts });
    }
    const pending = await store.listPendingTargets({});
    const targets = await workspaces.findAll(pending.map(({ workspace_id: id }) => id));
    for (const target of targets) if (canPush(target)) this.retry(target.id);
    this.#readAt = clock.monotonic();
  }

  /** Aborts running pushes; their messages stay queued and the attempts do not count. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const state of this.#targets.values()) state.cancelRetry();
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    this.#cancelRenewal?.();
  }

  #stateOf(targetId: string): TargetState {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    const idle = { live: 0, draining: 0, checking: false, checkAgain: false, empty: false };
    const state: TargetState = { ...idle, cancelRetry: () => {} };
    this.#targets.set(targetId, state);
    return state;
  }

  #newLease(): { readonly owner: string; readonly until: string } {
    return { owner: this.#owner, until: timestamp(this.#options.clock, LEASE_MS) };
  }

  async #track(work: Promise<void>, after: () => void): Promise<void> {
    this.#running.add(work);
    try {
      await work;
    } catch (error) {
      const text = 'Failed to record a push; the message is pushed again when its lease expires';
      this.#options.logger.error({ reason: String(error) }, text);
    }
    this.#running.delete(work);
    after();
  }

  /** Pushes the messages that are due; does nothing when the queue is known to be empty. */
  #drain(targetId: string): void {
    const state = this.#stateOf(targetId);
    if (this.#stopping.signal.aborted || state.empty) return;
    this.#mayHaveWork = true;
    state.checkAgain = true;
    if (!state.checking) void this.#track(this.#check(targetId, state), () => {});
  }

  #drainLater(targetId: string, delayMs: number): void {
    const state = this.#stateOf(targetId);
    state.cancelRetry();
    if (this.#stopping.signal.aborted) return;
    state.cancelRetry = this.#options.clock.schedule(delayMs, () => this.#drain(targetId));
  }

  async #check(targetId: string, state: TargetState): Promise<void> {
    state.checking = true;
    try {
      while (state.checkAgain && !this.#stopping.signal.aborted) {
        state.checkAgain = false;
        for (;;) {
          const message = await this.#takeNext(targetId, state);
          if (message === undefined) break;
          state.draining += 1;
          void this.#track(this.#attempt(message), () => {
            state.draining -= 1;
            this.#drain(targetId);
          });
        }
      }
    } finally {
      state.checking = false;
    }
  }

  async #takeNext(targetId: string, state: TargetState): Promise<MessageRow | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const { database, transitions, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      await unit.lock?.(targetId);
      const next = await this.#findNext(unit, targetId);
      state.empty = next === undefined;
      unit.onRollback(() => {
        state.empty = false;
      });
      if (next === undefined) return undefined;
      const dueIn = next.next_attempt_at === null ? 0 : Date.parse(next.next_attempt_at) - unit.now;
      if (dueIn > 0 && dueIn <= LONGEST_RETRY_MS) {
        this.#drainLater(targetId, dueIn);
        return undefined;
      }
      const target = await workspaces.find(targetId, unit.trx);
      if (target === undefined || !canPush(target)) return undefined;
      if (state.draining >= Math.max(1, target.max_concurrent_tasks)) return undefined;
      return (await transitions.apply(unit, next, { kind: 'push', ...this.#newLease() }))?.message;
    });
  }

  /** The message that is next in the order of its target; those that have expired end instead. */
  async #findNext(unit: UnitOfWork, targetId: string): Promise<MessageRow | undefined> {
    const { store, transitions } = this.#options;
    for (;;) {
      const next = await store.findNext({ targetId }, unit.trx);
      const isExpired = next?.expires_at != null && next.expires_at <= unit.at;
      if (next === undefined || !isExpired) return next;
      await transitions.end(unit, next, { state: 'expired' });
    }
  }

  /** Runs one attempt, from the lease of a message to its outcome. `known` is the content if it was read before. */
  async #attempt(message: MessageRow, known?: PushContent): Promise<void> {
    const { clock, requests, streams, waiters } = this.#options;
    const { id, target_id: targetId } = message;
    // They come from the row, so that they survive a restart.
    const headers = storedHeaders(message);
    const operation = startOperation(message, traceOf(headers), clock.now());
    const startedAt = clock.monotonic();
    this.#inFlight.set(id, false);
    this.#cancelRenewal ??= this.#renewLater();
    // Before anything is awaited, so that an end of the message ends the attempt.
    const source = message.method === 'message/stream' ? streams.open(id).attempt(targetId) : undefined;
    try {
      const content = known ?? (await requests.read(message));
      const passedOn = withTrace(headers, operation.trace);
      const result = await this.#post(message, content, passedOn, source);
      const code = 'error' in result ? knownCode(result.error.code) : undefined;
      operation.end({ 'molecule.result': result.kind }, code);
      const requeue = result.kind === 'answer' ? undefined : await this.#requeueFor(message, result);
      if (requeue === undefined) {
        if (result.kind !== 'retry') this.#failing.delete(targetId);
        const durationMs = Math.round(clock.monotonic() - startedAt);
        // Its end belongs to the trace of this push.
        const traced =
          passedOn === headers ? message : { ...message, passed_headers: storeHeaders(passedOn) };
        await this.#record(traced, result as FinalResult, durationMs);
        // Also of a message that goes on after a question: what follows is another answer.
        if (result.kind === 'answer' && source !== undefined) streams.end(id);
        return;
      }
      if (requeue.error !== undefined) this.#reportFailing(message, requeue.error);
      await this.#requeue(message, requeue);
      this.#stateOf(targetId).empty = false;
      if (requeue.delayMs !== undefined) this.#drainLater(targetId, requeue.delayMs);
      waiters.requeued(id);
    } catch (error) {
      operation.end({ 'molecule.result': 'not_recorded' }, 'internal_error');
      throw error;
    } finally {
      this.#inFlight.delete(id);
      source?.close();
    }
  }

  /** Renews the leases of running pushes at a third of their duration, except those that began since the last time. */
  #renewLater(): () => void {
    const { clock, logger, store } = this.#options;
    return clock.schedule(LEASE_MS / 3, () => {
      this.#cancelRenewal = this.#inFlight.size === 0 ? undefined : this.#renewLater();
      for (const [messageId, isDue] of this.#inFlight) {
        this.#inFlight.set(messageId, true);
        if (!isDue) continue;
        store.renewLease(messageId, this.#newLease()).catch((error: unknown) => {
          logger.warn({ messageId, reason: String(error) }, 'Failed to renew a lease');
        });
      }
    });
  }

  async #post(
    message: MessageRow,
    content: PushContent | undefined,
    passedOn: PassedHeaders,
    source: TextSource | undefined,
  ): Promise<PushResult> {
    const { endpoint, requests } = this.#options;
    if (content === undefined) return { kind: 'aborted' };
    let isStreamed = source !== undefined && asksForStream(message, content.target);
    for (;;) {
      const request = await requests.ofMessage(message, content, passedOn, isStreamed);
      if (request === undefined) return { kind: 'aborted' };
      const result = await endpoint.post(request, {
        purpose: 'message',
        signal: this.#stopping.signal,
        source,
      });
      if (!isStreamed || source?.hasText === true || !refusesStream(result)) return result;
      isStreamed = false;
    }
  }

  /** How the message is put back into the queue after this result; undefined when the result is final. */
  async #requeueFor(message: MessageRow, result: PushResult): Promise<Requeue | undefined> {
    const { settings } = this.#options;
    switch (result.kind) {
      case 'aborted':
        return { attempts: message.attempts - 1 };
      case 'not-accepting': {
        const delayMs = withJitter(result.retryAfterMs, Math.random());
        return { attempts: message.attempts - 1, delayMs, error: NOT_ACCEPTING };
      }
      case 'retry': {
        const isLast = message.attempts >= settings.limits.maxAttempts;
        const delayMs = pushRetryDelayMs(message.attempts, Math.random());
        if (isLast && !(await this.#isSilent(message.target_id))) return undefined;
        return { attempts: isLast ? 0 : message.attempts, delayMs, error: result.error };
      }
      default:
        return undefined;
    }
  }

  /**
   * An agent that has missed heartbeats is about to be offline, and messages to offline agents are kept: its last
   * attempt does not fail the message, and the attempts start again when it is back.
   */
  async #isSilent(targetId: string): Promise<boolean> {
    const { clock, settings, workspaces } = this.#options;
    const last = (await workspaces.find(targetId))?.last_heartbeat_at ?? null;
    return (
      last !== null && clock.now() - Date.parse(last) > settings.limits.livenessStaleAfterMs * SILENT_SHARE
    );
  }

  /** The log names each agent that does not take its messages once until a push succeeds. */
  #reportFailing({ id: messageId, target_id: workspaceId }: MessageRow, failure: ErrorBody): void {
    if (this.#failing.has(workspaceId)) return;
    if (this.#failing.size >= MAX_FAILING) this.#failing.clear();
    this.#failing.add(workspaceId);
    const { code, error: reason, status } = failure;
    const fields = { workspaceId, messageId, code, reason, status };
    this.#options.logger.warn(fields, 'An agent cannot be reached; its messages wait');
  }

  /** Puts a leased message back into the queue, unless it has ended or has another lease now. */
  async #requeue(message: MessageRow, { attempts, delayMs, error }: Requeue): Promise<void> {
    const { clock, database, transitions } = this.#options;
    const nextAt = delayMs === undefined ? null : timestamp(clock, delayMs);
    const failure = error && deliveryFailure(error);
    const event = { kind: 'requeue', attempts: Math.max(0, attempts), nextAt, failure } as const;
    await database.transaction((unit) => transitions.apply(unit, message, event));
  }

  async #record(message: MessageRow, result: FinalResult, durationMs: number): Promise<void> {
    const { database, questions, store, transitions } = this.#options;
    try {
      await database.transaction(async (unit) => {
        const end = endOf(message, result);
        if (end === undefined) return void (await transitions.apply(unit, message, { kind: 'deliver' }));
        // Should the lease have been lost meanwhile, an answer counts all the same, unless the message has ended.
        let current: MessageRow | undefined = message;
        while (current !== undefined && !isEnded(current.delivery_state)) {
          const taken =
            end.state === 'answered'
              ? await questions.takeAnswer(unit, current, end.answer, { durationMs })
              : await transitions.end(unit, current, end, { durationMs });
          if (taken !== undefined || result.kind !== 'answer') return;
          current = await store.find({ id: message.id }, unit.trx);
        }
      });
    } catch (error) {
      if (result.kind !== 'answer' || !(error instanceof HttpError)) throw error;
      // Its questions cannot be asked; the agent has no other way to learn that than the end of the message.
      const unusable = { error: error.message, code: 'agent_answer_invalid' } as const;
      await this.#record(message, { kind: 'unreadable', error: unusable }, durationMs);
    }
  }
}

function startOperation(message: MessageRow, trace: TraceContext | null, now: number): Operation {
  const queuedMs = Math.max(0, now - Date.parse(message.created_at));
  if (message.attempts <= 1) queued(queuedMs / 1_000, {});
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'send',
    'messaging.message.id': message.message_id,
    'molecule.activity.id': message.id,
    'molecule.workspace.id': message.target_id,
    'molecule.attempt': message.attempts,
    'molecule.queued_ms': queuedMs,
  });
  return pushes.start('molecule push', facts, trace);
}

function refusesStream(result: PushResult): boolean {
  const response =
    result.kind === 'answer' ? result.body : 'response' in result ? result.response : undefined;
  return isJsonObject(response?.error) && REFUSES_STREAM.includes(response.error.code);
}

/** The end that the last attempt means; undefined when the agent took the message and may answer later. */
function endOf(message: MessageRow, result: FinalResult): MessageEnd | undefined {
  switch (result.kind) {
    case 'answer':
      return endOfResponse(result.body);
    case 'accepted':
      return viewOf(message).expectsAnswer ? undefined : { state: 'unanswered' };
    case 'unreadable':
      if (!viewOf(message).expectsAnswer) return { state: 'unanswered' };
      return { state: 'failed', failure: deliveryFailure(result.error) };
    case 'retry': {
      const error = `${result.error.error ?? 'delivery failed'} (${message.attempts} attempts)`;
      return failedDelivery({ ...result.error, error }, result.response);
    }
    case 'final':
      return failedDelivery(result.error, result.response);
  }
}
