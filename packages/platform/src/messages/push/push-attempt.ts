import { type ErrorBody, isEnded, viewMessage } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import { HttpError } from '../../http/http-error.ts';
import type { PeerTokensService } from '../../peer-tokens/peer-tokens.service.ts';
import { timestamp } from '../../time/clock.ts';
import { pushRetryDelayMs, withJitter } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import { deliveryFailure, endOfResponse, failedDelivery, type MessageEnd } from '../outcome/outcome.rules.ts';
import type { OutcomeRecorder } from '../outcome/outcome-recorder.ts';
import type { AnswerStreams } from '../streams/answer-streams.ts';
import type { TextSource } from '../streams/text-source.ts';
import { type PushResult, refusesStream } from './agent-response.ts';
import { asksForStream, type PushContent, type PushedMessage, viewOf } from './push-body.rules.ts';
import type { PushEndpoint } from './push-endpoint.ts';
import { PushRequests } from './push-requests.ts';
import { startPush } from './push-telemetry.ts';

/** An agent without a heartbeat for this share of the liveness window is treated as unreachable. */
const SILENT_SHARE = 2 / 3;

/** So many failing agents are remembered, so that the log names each of them once. */
const MAX_FAILING = 10_000;
const NOT_ACCEPTING = {
  error: 'the workspace agent accepts no messages now',
  code: 'not_accepting',
  delivered: false,
} as const satisfies ErrorBody;

/** When a message is pushed again; `error` says why it was not delivered. */
interface Requeue {
  readonly attempts: number;
  readonly delayMs?: number;
  readonly error?: ErrorBody;
}

export interface PushAttemptsOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'publicUrl' | 'settings'> {
  readonly store: MessageStore;
  readonly outcomes: OutcomeRecorder;
  readonly workspaces: WorkspaceDirectory;
  readonly endpoint: PushEndpoint;
  readonly streams: AnswerStreams;
  /** The owner of the leases. */
  readonly owner: string;
  readonly peerTokens: Pick<PeerTokensService, 'forPush'>;
  /** From 0 to 1; the jitter of the retries. */
  readonly random: () => number;
}

/** A message whose agent is to know that it is canceled: without its texts, because it may wait. */
export type CanceledMessage = PushedMessage & { readonly isA2a1: boolean };

/** What can end a message. */
type FinalResult = Exclude<PushResult, { kind: 'aborted' | 'not-accepting' }>;

/** The result of one attempt. */
export type AttemptEnd =
  | { readonly kind: 'ended' }
  /** Back in the queue, for the next attempt after the delay, or when the target is reachable again. */
  | { readonly kind: 'requeued'; readonly delayMs: number | undefined };

/** Runs push attempts, each from the lease of a message to its outcome. */
export class PushAttempts {
  readonly #options: PushAttemptsOptions;
  readonly #requests: PushRequests;
  /** Workspaces whose last push failed, and that the log names. */
  readonly #failing = new Set<string>();

  constructor(options: PushAttemptsOptions) {
    this.#options = options;
    this.#requests = new PushRequests(options);
  }

  newLease(): { readonly owner: string; readonly until: string } {
    const { clock, owner, settings } = this.#options;
    return { owner, until: timestamp(clock, settings.leaseMs) };
  }

  /** `known` is the content if it was read before. */
  async run(stored: MessageRow, signal: AbortSignal, known?: PushContent): Promise<AttemptEnd> {
    const { clock, streams } = this.#options;
    const push = startPush(stored, clock.now());
    const { message } = push;
    const startedAt = clock.monotonic();
    const stopRenewing = this.#renewLease(message.id);
    // Before anything is awaited, so that an end of the message ends the attempt.
    const source =
      message.method === 'message/stream' ? streams.open(message.id).attempt(message.target_id) : undefined;
    try {
      const content = known ?? (await this.#requests.read(message));
      const result = await this.#post(message, content, signal, source);
      push.end(result);
      const requeue = await this.#requeueFor(message, result);
      if (requeue !== undefined) {
        await (requeue.error === undefined
          ? this.requeue(message, requeue)
          : this.#retryLater(message, requeue));
        return { kind: 'requeued', delayMs: requeue.delayMs };
      }
      if (result.kind !== 'retry') this.#failing.delete(message.target_id);
      const durationMs = Math.round(clock.monotonic() - startedAt);
      await this.#recordFinal(message, result as FinalResult, durationMs);
      // Also of a message that goes on after a question: what follows is another answer.
      if (result.kind === 'answer') streams.end(message.id);
      return { kind: 'ended' };
    } catch (error) {
      push.fail();
      throw error;
    } finally {
      source?.close();
      stopRenewing();
    }
  }

  async #post(
    message: MessageRow,
    content: PushContent | undefined,
    signal: AbortSignal,
    source: TextSource | undefined,
  ): Promise<PushResult> {
    const isStreamed =
      source !== undefined && content !== undefined && asksForStream(message, content.target);
    const request = await this.#requests.prepare(message, content, isStreamed);
    if (request === undefined) return { kind: 'aborted' };
    const given = { purpose: 'message', signal, source } as const;
    const result = await this.#options.endpoint.post({ ...request, ...given });
    if (!isStreamed || source.hasText || !refusesStream(result)) return result;
    const plain = await this.#requests.prepare(message, content, false);
    return plain === undefined ? { kind: 'aborted' } : this.#options.endpoint.post({ ...plain, ...given });
  }

  /** How the message is put back into the queue after this result; undefined when the result is final. */
  async #requeueFor(message: MessageRow, result: PushResult): Promise<Requeue | undefined> {
    const { random, settings } = this.#options;
    switch (result.kind) {
      case 'aborted':
        return { attempts: message.attempts - 1 };
      case 'not-accepting': {
        const delayMs = withJitter(result.retryAfterMs, random());
        return { attempts: message.attempts - 1, delayMs, error: NOT_ACCEPTING };
      }
      case 'retry': {
        const isLast = message.attempts >= settings.maxAttempts;
        const delayMs = pushRetryDelayMs(message.attempts, random());
        if (isLast && !(await this.#isSilent(message.target_id))) return undefined;
        return { attempts: isLast ? 0 : message.attempts, delayMs, error: result.error };
      }
      default:
        return undefined;
    }
  }

  async #recordFinal(message: MessageRow, result: FinalResult, durationMs: number): Promise<void> {
    try {
      await this.#record(message, result, durationMs);
    } catch (error) {
      if (result.kind !== 'answer' || !(error instanceof HttpError)) throw error;
      // Its questions cannot be asked; the agent has no other way to learn that than the end of the message.
      const unusable = { error: error.message, code: 'agent_answer_invalid' } as const;
      await this.#record(message, { kind: 'unreadable', error: unusable }, durationMs);
    }
  }

  /** Posts `tasks/cancel` for a message, once: an agent that does not get it only works on in vain. */
  async cancel(message: CanceledMessage, signal: AbortSignal): Promise<void> {
    const parties = await this.#requests.readParties(message);
    if (parties === undefined) return;
    const { id } = message;
    const method = message.isA2a1 ? 'CancelTask' : 'tasks/cancel';
    const view = viewMessage({ jsonrpc: '2.0', id: `cancel-${id}`, method, params: { id } });
    const request = await this.#requests.prepare(message, { ...parties, view }, false);
    if (request === undefined) return;
    const result = await this.#options.endpoint.post({ ...request, purpose: 'control', signal });
    const fields = { messageId: id, result: result.kind };
    this.#options.logger.debug(fields, 'Posted a cancellation to an agent');
  }

  /** Puts a leased message back into the queue, unless it has ended or has another lease now. */
  async requeue(message: MessageRow, { attempts, delayMs, error }: Requeue): Promise<void> {
    const { clock, database, outcomes } = this.#options;
    const at = delayMs === undefined ? null : timestamp(clock, delayMs);
    await database.transaction((unit) =>
      outcomes.requeue(unit, message, { attempts: Math.max(0, attempts), at, error }),
    );
  }

  /** Requeues a message that its agent did not take. The log names each agent once until a push succeeds. */
  async #retryLater(message: MessageRow, next: Requeue): Promise<void> {
    const { target_id: workspaceId } = message;
    if (!this.#failing.has(workspaceId)) {
      if (this.#failing.size >= MAX_FAILING) this.#failing.clear();
      this.#failing.add(workspaceId);
      const { code, error: reason, status } = next.error ?? {};
      const fields = { workspaceId, messageId: message.id, code, reason, status };
      this.#options.logger.warn(fields, 'An agent cannot be reached; its messages wait');
    }
    await this.requeue(message, next);
  }

  /** Renews the lease at a third of its duration until the returned function is called. */
  #renewLease(messageId: string): () => void {
    const { clock, logger, settings, store } = this.#options;
    let cancel = () => {};
    let isOver = false;
    const schedule = () => {
      cancel = clock.schedule(Math.ceil(settings.leaseMs / 3), () => {
        store.renewLease(messageId, this.newLease()).catch((error: unknown) => {
          logger.warn({ messageId, reason: String(error) }, 'Failed to renew a lease');
        });
        if (!isOver) schedule();
      });
    };
    schedule();
    return () => {
      isOver = true;
      cancel();
    };
  }

  /**
   * An agent that has missed heartbeats is about to be offline, and messages to offline agents are kept: its last
   * attempt does not fail the message, and the attempts start again when it is back.
   */
  async #isSilent(targetId: string): Promise<boolean> {
    const { clock, settings, workspaces } = this.#options;
    const last = (await workspaces.find(targetId))?.last_heartbeat_at ?? null;
    return last !== null && clock.now() - Date.parse(last) > settings.livenessStaleAfterMs * SILENT_SHARE;
  }

  #record(message: MessageRow, result: FinalResult, durationMs: number): Promise<void> {
    const { database, outcomes, store } = this.#options;
    return database.transaction(async (unit) => {
      const end = endOf(message, result);
      if (end === undefined) {
        await outcomes.deliver(unit, message);
        return;
      }
      // Should the lease have been lost meanwhile, an answer counts all the same, unless the message has ended.
      let current: MessageRow | undefined = message;
      while (current !== undefined && !isEnded(current.delivery_state)) {
        if ((await outcomes.endMessage(unit, current, end, { durationMs })) !== undefined) return;
        if (result.kind !== 'answer') return;
        current = await store.find(message.id, unit.trx);
      }
    });
  }
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
    case 'retry':
      return failedDelivery(exhausted(result.error, message.attempts), result.response);
    case 'final':
      return failedDelivery(result.error, result.response);
  }
}

function exhausted(error: ErrorBody, attempts: number): ErrorBody {
  return { ...error, error: `${error.error ?? 'delivery failed'} (${attempts} attempts)` };
}
