import { ControlList, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { type PeerReply, readReply } from '../peers/peer-reply.ts';
import { type PlatformApi, unreadable } from '../platform-api/platform-api.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { processState } from '../storage/process-state.ts';
import { linkAbort, withDeadline } from '../time/linked-abort.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { readMessageState } from './message-state.ts';
import type { OutgoingMessage } from './peer-calls.ts';

/** A platform that has not responded yet may offer it. */
const CANCEL = {
  word: 'cancel',
  problem: 'The platform cannot cancel messages.',
  hint: 'Stop waiting for the answer; the agent handles the message to its end.',
} as const;

export interface FetchCancellationsOptions extends CallOptions {
  /** Only cancellations after this one. @default 0, those of the last hour */
  sinceSeq?: number | undefined;
  /** How long the platform may hold the request until there is one, in whole seconds, 0–60. @default 0 */
  waitSecs?: number | undefined;
  /** Whether not to wait while as many reads of this process are held as `maxHeldReads` allows. @default false */
  takesTurns?: boolean | undefined;
  /** Whether to retry when the platform is unavailable. @default true */
  isRetried?: boolean | undefined;
}

/** Messages to this agent that their senders or an operator canceled. */
export interface CancellationPage {
  /** Oldest first. */
  readonly canceled: readonly { readonly activityId: string; readonly messageId: string }[];
  /** The next `sinceSeq`. */
  readonly lastSeq: number;
}

/**
 * Cancels a sent message and returns its state. The state is read first: a message that has ended is left alone.
 * @param workspaceId the workspace in the path: an agent's own, or for operators the target of the message
 */
export async function cancelMessage(
  api: PlatformApi,
  workspaceId: string,
  messageId: string,
  { signal }: CallOptions,
): Promise<PeerReply> {
  api.requireOffered(CANCEL);
  const reading = { lane: 'receiving', signal } as const;
  const readState = () => readMessageState(api, workspaceId, messageId, reading);
  const before = await readState();
  if (before.status !== 'queued' && before.status !== 'input-required') return before;
  // The response to the read names the capabilities, if it was the first one.
  api.requireOffered(CANCEL);
  const { body } = await sendCancel(api, workspaceId, messageId, signal);
  const { peerId, contextId } = before;
  // The platform responds itself.
  const facts = { peerId, messageId, contextId, isWrapped: !api.isOperator, hasNamedState: true };
  const reply = readReply(body, facts);
  // The task of a message that was answered meanwhile does not contain the answer.
  return reply.status === 'answered' ? readState() : reply;
}

/** Sends `tasks/cancel`, which may be repeated, and does not wait for calls: they may be what it ends. */
function sendCancel(
  api: PlatformApi,
  workspaceId: string,
  messageId: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly body: unknown }> {
  return api.send(routes.sendMessage, {
    params: { id: workspaceId },
    body: { jsonrpc: '2.0', id: messageId, method: 'tasks/cancel', params: { id: messageId } },
    lane: 'receiving',
    isRepeatable: true,
    timeoutMs: api.settings.requestTimeoutMs,
    signal,
  });
}

/** Reads which messages to this agent were canceled. */
export async function readCancellations(
  { api, heldReads, settings }: ClientContext,
  { sinceSeq = 0, waitSecs: wanted = 0, takesTurns = false, isRetried, signal }: FetchCancellationsOptions,
): Promise<CancellationPage> {
  api.requireOffered(CANCEL);
  const params = { id: settings.workspaceId };
  const turn = takesTurns && wanted > 0 ? heldReads.take('control') : undefined;
  const waitSecs = turn === null ? 0 : wanted;
  const query = { only: 'control', since_seq: sinceSeq, wait: waitSecs > 0 ? waitSecs : undefined };
  const input = { params, query, isRepeatable: isRetried, signal };
  const { status, body } = await api.send(routes.listActivity, input).finally(() => turn?.());
  const read = ControlList.tolerant.safeParse(body);
  if (!read.success)
    throw unreadable(routes.listActivity, input, status, 'a list of control rows was expected');
  return {
    canceled: read.data
      .filter(({ method }) => method === 'cancel_task')
      .map(({ activity_id, message_id }) => ({ activityId: activity_id, messageId: message_id })),
    lastSeq: read.data.reduce((last, { seq }) => Math.max(last, seq), sinceSeq),
  };
}

const CANCEL_MS = 5_000;
const CLOSE_MS = 1_000;
const MAX_PENDING = 100;
/** Pauses while the platform does not know the message: its request may still be on the way. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000];

/**
 * Cancels the messages of calls that their callers aborted: in the background, each for at most five seconds. Failures
 * are logged at level debug only, because nobody waits for the result.
 */
export class AbandonedCalls {
  readonly #api: PlatformApi;
  readonly #closeOthers: () => Promise<void>;
  readonly #life = linkAbort();
  readonly #pending = new Set<Promise<unknown>>();

  /** @param closeOthers closes what cancellations use besides `api` */
  constructor(api: PlatformApi, closeOthers: () => Promise<void> = async () => {}) {
    this.#api = api;
    this.#closeOthers = closeOthers;
  }

  /** Aborts with `client_closed`. */
  get closed(): AbortSignal {
    return this.#life.signal;
  }

  /** Cancels the message if the platform offers it. Never throws. */
  readonly cancel = ({ senderId, targetId, messageId }: OutgoingMessage): void => {
    this.run(messageId, (signal) => this.#cancel(senderId ?? targetId, messageId, signal));
  };

  /** Runs another way to cancel a message, which resolves with its task where it is known. Never throws. */
  run(messageId: string, cancel: (signal: AbortSignal) => Promise<unknown>): void {
    if (this.#life.signal.aborted || this.#pending.size >= MAX_PENDING) return;
    const { clock, logger } = this.#api.settings;
    const limits = { clock, timeoutMs: CANCEL_MS, what: 'Cancelling', signal: this.#life.signal };
    const work = withDeadline(limits, cancel)
      .then((task) => {
        // It may have ended otherwise just before.
        if (isCanceled(task, messageId)) canceledCalls().set(messageId, true);
      })
      .catch((error: unknown) => {
        logger.debug({ error, messageId }, 'The message of an aborted call was not canceled.');
      })
      .finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }

  /**
   * Closes the connections, after up to a second for the cancellations in progress: an abort just before the end of a
   * process counts as well.
   */
  async close(): Promise<void> {
    if (this.#pending.size > 0) {
      const limits = { clock: this.#api.settings.clock, timeoutMs: CLOSE_MS, what: 'Closing' };
      await withDeadline(limits, () => Promise.all(this.#pending)).catch(() => {});
    }
    this.#life.abort(new MoleculeError('The client was closed.', { code: 'client_closed' }));
    await Promise.all([this.#api.close(), this.#closeOthers()]);
  }

  async #cancel(workspaceId: string, messageId: string, signal: AbortSignal): Promise<unknown> {
    for (const delayMs of [...RETRY_DELAYS_MS, null]) {
      try {
        await this.#api.learnCapabilities(signal);
        if (!this.#api.capabilities.words.has('cancel')) return undefined;
        return (await sendCancel(this.#api, workspaceId, messageId, signal)).body;
      } catch (error) {
        const isUnknown = ApiError.isInstance(error) && error.platformCode === 'message_not_found';
        if (!isUnknown || delayMs === null) throw error;
        await this.#api.settings.clock.sleep(delayMs, { signal });
      }
    }
    return undefined;
  }
}

function isCanceled(task: unknown, messageId: string): boolean {
  const facts = { peerId: '', messageId, isWrapped: true, hasNamedState: true };
  return task !== undefined && task !== null && readReply(task, facts).status === 'canceled';
}

const MAX_CANCELED = 10_000;

/** The ids of messages that this process canceled because their callers had aborted: the latest 10 000. They never have an answer. */
export function canceledCalls(): LatestMap<true> {
  return processState('canceled-calls', () => new LatestMap<true>(MAX_CANCELED));
}
