import { type ErrorBody, isJsonObject, type MessageView, viewMessage } from '@molecule-ai/protocol';
import type { ActivityService } from '../../activity/activity.service.ts';
import type { PlatformContext } from '../../context.ts';
import type { MessageRecord, WorkspaceRow } from '../../database/schema.ts';
import { inTransaction } from '../../database/unit-of-work.ts';
import { timestamp } from '../../time/clock.ts';
import type { WorkspaceLookup } from '../../workspaces/workspace.lookup.ts';
import { canPush, retryDelayMs } from '../delivery.rules.ts';
import { isLeasedBy, readMessage, renewLease, returnLease, updateMessage } from '../message.store.ts';
import type { OutcomeRecorder } from '../outcome/record-outcome.service.ts';
import type { PushEndpoint, PushRequest, PushResult } from './push-endpoint.ts';
import { buildPush } from './push-message.rules.ts';

/** Two of the three signs of life that an agent may miss. */
const SILENT_SHARE = 2 / 3;

/** Extra headers of a push, such as a token made for this target; never a credential of the platform. */
export type PushAuthorization = (push: {
  readonly callerId: string | null;
  readonly targetId: string;
}) => Promise<Readonly<Record<string, string>>>;

export interface PushAttemptParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly outcomes: OutcomeRecorder;
  readonly endpoint: PushEndpoint;
  /** Whose leases these are. */
  readonly owner: string;
  readonly authorize: PushAuthorization | undefined;
  /** From 0 to 1; spreads the retries. */
  readonly random: () => number;
}

/** What a push is made of, as it was in the transaction that stored the message. */
export interface PushContent {
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
  readonly view: MessageView;
}

/** How one attempt left its message. */
export type AttemptEnd =
  | { readonly kind: 'ended' }
  /** Back in the queue; to be tried again after the delay, or when the target can be reached again. */
  | { readonly kind: 'requeued'; readonly delayMs: number | undefined };

/** One push of one leased message, from its lease to its outcome. */
export interface PushAttempts {
  newLease(): { readonly owner: string; readonly until: string };
  /** `known` spares reading again what was read a moment ago. */
  run(message: MessageRecord, signal: AbortSignal, known?: PushContent): Promise<AttemptEnd>;
  /** Puts a leased message of `owner` back; nothing when the message ended or was taken over meanwhile. */
  putBack(
    message: MessageRecord,
    owner: string,
    change: { readonly attempts: number; readonly delayMs?: number },
  ): Promise<void>;
}

export function createPushAttempts(context: PlatformContext, parts: PushAttemptParts): PushAttempts {
  const { clock, db, logger, settings } = context;
  const { activity, workspaces, outcomes, endpoint, owner, authorize, random } = parts;

  const newLease = () => ({ owner, until: timestamp(clock, settings.leaseMs) });

  /** Renews the lease until the attempt is over, long before it would end. */
  const keepLease = (queueId: string): (() => void) => {
    let cancel = () => {};
    let isOver = false;
    const plan = () => {
      cancel = clock.schedule(Math.ceil(settings.leaseMs / 3), () => {
        renewLease(db, queueId, owner, newLease().until).catch((error: unknown) => {
          logger.warn({ queueId, reason: String(error) }, 'A lease could not be renewed.');
        });
        if (!isOver) plan();
      });
    };
    plan();
    return () => {
      isOver = true;
      cancel();
    };
  };

  const putBack: PushAttempts['putBack'] = (message, leaseOwner, { attempts, delayMs }) =>
    inTransaction(db, async (unit) => {
      const change = {
        attempts: Math.max(0, attempts),
        nextAttemptAt: delayMs === undefined ? null : timestamp(clock, delayMs),
        updatedAt: timestamp(clock),
      };
      const returned = await returnLease(unit.trx, message.queue_id, leaseOwner, change);
      if (returned === undefined) return;
      await activity.change(unit, message.activity_id, { deliveryState: 'pending' }, true);
    });

  /**
   * An agent that has missed its signs of life is about to be offline, and messages for those are kept: the last
   * attempt on such a one is not the end, and the agent gets all of them again when it comes back.
   */
  const isSilent = async (targetId: string) => {
    const heard = (await workspaces.find(targetId))?.last_heartbeat_at ?? null;
    return heard !== null && clock.now() - Date.parse(heard) > settings.livenessStaleAfterMs * SILENT_SHARE;
  };

  const readContent = async (message: MessageRecord): Promise<PushContent | undefined> => {
    const target = await workspaces.find(message.target_id);
    if (target === undefined || !canPush(target)) return undefined;
    const envelope = await activity.requestOf(message.activity_id);
    if (!isJsonObject(envelope)) throw new Error(`The request of message ${message.queue_id} is gone.`);
    const callerId = message.caller_id;
    const caller = callerId === null ? undefined : await workspaces.find(callerId);
    return { target, caller, view: viewMessage(envelope) };
  };

  /** What to post where; undefined when the target cannot be pushed to any more. */
  const prepare = async (
    message: MessageRecord,
    known: PushContent | undefined,
  ): Promise<(Omit<PushRequest, 'signal'> & { answerWanted: boolean }) | undefined> => {
    const content = known ?? (await readContent(message));
    if (content === undefined || !canPush(content.target)) return undefined;
    const { caller, target, view } = content;
    const callerId = message.caller_id;
    const { body, headers } = buildPush(view, message, {
      caller,
      publicUrl: context.publicUrl(),
      wrapAnswers: settings.wrapPeerResults,
    });
    const extra = (await authorize?.({ callerId, targetId: target.id })) ?? {};
    return {
      targetId: target.id,
      url: target.url,
      body,
      headers: { ...extra, ...headers },
      answerWanted: view.expectsAnswer,
    };
  };

  const record = (message: MessageRecord, result: PushResult, answerWanted: boolean, durationMs: number) =>
    inTransaction(db, async (unit) => {
      const isOurs = await isLeasedBy(unit.trx, message.queue_id, owner);
      // Nothing but the lease of a leased message changes, so the row as it was stored is the row as it is.
      const now = isOurs ? message : await readMessage(unit.trx, message.queue_id);
      if (now === undefined || now.state === 'answered' || result.kind === 'aborted') return;
      if (result.kind === 'answer') {
        await outcomes.answer(unit, now, result.body, { durationMs });
      } else if (now.state !== 'leased' || now.lease_owner !== owner) {
        return;
      } else if (result.kind === 'accepted' || (result.kind === 'unreadable' && !answerWanted)) {
        const change = { state: 'delivered', lease_owner: null, lease_until: null };
        await updateMessage(unit.trx, now.queue_id, { ...change, updated_at: timestamp(clock) });
        await activity.change(unit, now.activity_id, { deliveryState: 'delivered', status: 'ok' }, true);
      } else {
        const { error } = result;
        await outcomes.fail(unit, now, result.kind === 'retry' ? exhausted(error, now.attempts) : error);
      }
    });

  const run: PushAttempts['run'] = async (message, signal, known) => {
    const startedAt = clock.monotonic();
    const stopKeeping = keepLease(message.queue_id);
    try {
      const prepared = await prepare(message, known);
      const result: PushResult =
        prepared === undefined ? { kind: 'aborted' } : await endpoint.post({ ...prepared, signal });
      if (result.kind === 'aborted') {
        await putBack(message, owner, { attempts: message.attempts - 1 });
        return { kind: 'requeued', delayMs: undefined };
      }
      if (result.kind === 'retry') {
        const isLast = message.attempts >= settings.maxAttempts;
        const delayMs = retryDelayMs(message.attempts, random());
        if (!isLast || (await isSilent(message.target_id))) {
          await putBack(message, owner, { attempts: isLast ? 0 : message.attempts, delayMs });
          return { kind: 'requeued', delayMs };
        }
      }
      const durationMs = Math.round(clock.monotonic() - startedAt);
      await record(message, result, prepared?.answerWanted ?? true, durationMs);
      return { kind: 'ended' };
    } finally {
      stopKeeping();
    }
  };

  return { newLease, run, putBack };
}

function exhausted(error: ErrorBody, attempts: number): ErrorBody {
  return { ...error, error: `${error.error ?? 'delivery failed'} (${attempts} attempts)` };
}
