import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { MessageRow, WorkspaceRow } from '../../database/schema.ts';
import { storedHeaders } from '../request.ts';
import type { AgentEndpoint, PushRequest } from './agent-endpoint.ts';
import { cancellationOf, type PushRequests } from './push-requests.ts';

/** Time for one notice, from its request to the response, in milliseconds. */
const TIME_LIMIT_MS = 5_000;
const UNLIMITED = Number.POSITIVE_INFINITY;
/** How many notices are posted at the same time, and how many more wait: in all, and for one agent. */
const CANCELLATIONS = { running: UNLIMITED, runningOfAgent: 4, waiting: UNLIMITED, waitingOfAgent: 64 };
const STATE_CALLS = { running: 32, runningOfAgent: 1, waiting: 1_000, waitingOfAgent: 1 };

/** Something that an agent is told. */
interface Notice {
  readonly targetId: string;
  /** Takes the place of one with the same key that waits. */
  readonly key: string;
  /** For the log. */
  readonly name: string;
  readonly about: { readonly messageId: string } | { readonly workspaceId: string };
  /** Undefined when the agent cannot be told any more. */
  makeRequest(): Promise<PushRequest | undefined>;
}

interface AgentNoticesOptions extends Pick<PlatformContext, 'clock' | 'logger'> {
  readonly endpoint: Pick<AgentEndpoint, 'post'>;
  readonly requests: PushRequests;
}

/**
 * Tells agents with servers that a message is canceled, and that they were paused, resumed or removed: in the background,
 * each once. It is best effort: a notice that takes too long is aborted, one that finds too many before it is dropped, and
 * none delays a message.
 */
export class AgentNotices {
  readonly #options: AgentNoticesOptions;
  readonly #cancellations: NoticeQueue;
  /** One at a time for an agent, so that it gets its changes in their order; of several that wait only the last counts. */
  readonly #stateCalls: NoticeQueue;

  constructor(options: AgentNoticesOptions) {
    this.#options = options;
    this.#cancellations = new NoticeQueue(options, CANCELLATIONS);
    this.#stateCalls = new NoticeQueue(options, STATE_CALLS);
  }

  /** Tells the agent of a message that was pushed that it is canceled. */
  cancel(canceled: MessageRow): void {
    const { requests } = this.#options;
    const view = cancellationOf(canceled);
    // It may wait, without its texts.
    const message = { ...canceled, request_body: null, response_body: null };
    const { id, target_id: targetId } = message;
    const makeRequest = async () => {
      const content = await requests.read(message, view);
      return content && requests.ofMessage(message, content, storedHeaders(message), false);
    };
    this.#cancellations.add({
      targetId,
      key: id,
      name: 'cancellation',
      about: { messageId: id },
      makeRequest,
    });
  }

  /** After the commit: tells an agent with a server its new status; one that polls learns it by its requests. */
  announce(
    unit: UnitOfWork,
    { id, url, delivery_mode: mode }: Pick<WorkspaceRow, 'id' | 'url' | 'delivery_mode'>,
    status: 'paused' | 'awaiting_agent' | 'removed',
  ): void {
    if (mode !== 'push' || url === null) return;
    const makeRequest = () => this.#options.requests.ofStatus({ id, url }, status);
    const call = { targetId: id, key: id, name: 'state call', about: { workspaceId: id }, makeRequest };
    unit.afterCommit(() => this.#stateCalls.add(call));
  }

  /** Aborts those that run and drops those that wait. */
  async stop(): Promise<void> {
    await Promise.all([this.#cancellations.stop(), this.#stateCalls.stop()]);
  }
}

class NoticeQueue {
  readonly #options: Omit<AgentNoticesOptions, 'requests'>;
  readonly #limits: typeof STATE_CALLS;
  /** By key. */
  readonly #waiting = new Map<string, Notice>();
  readonly #running = new Map<Promise<void>, Notice>();
  readonly #stopping = new AbortController();

  constructor(options: Omit<AgentNoticesOptions, 'requests'>, limits: typeof STATE_CALLS) {
    this.#options = options;
    this.#limits = limits;
  }

  add(notice: Notice): void {
    if (this.#stopping.signal.aborted) return;
    const { waiting, waitingOfAgent } = this.#limits;
    const isFull = this.#waiting.size >= waiting || countFor(notice, this.#waiting) >= waitingOfAgent;
    if (isFull && !this.#waiting.has(notice.key)) {
      this.#options.logger.debug(notice.about, `Dropped a ${notice.name}: too many wait`);
      return;
    }
    this.#waiting.set(notice.key, notice);
    this.#startNext();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.clear();
    await Promise.all(this.#running.keys());
  }

  #startNext(): void {
    const { running, runningOfAgent } = this.#limits;
    for (const notice of this.#waiting.values()) {
      if (this.#running.size >= running) return;
      if (countFor(notice, this.#running) >= runningOfAgent) continue;
      this.#waiting.delete(notice.key);
      const run = this.#post(notice).then(() => {
        this.#running.delete(run);
        this.#startNext();
      });
      this.#running.set(run, notice);
    }
  }

  async #post({ about, name, makeRequest }: Notice): Promise<void> {
    const { clock, endpoint, logger } = this.#options;
    const ending = new AbortController();
    const end = () => ending.abort();
    const cancelTimer = clock.schedule(TIME_LIMIT_MS, end);
    this.#stopping.signal.addEventListener('abort', end, { once: true });
    try {
      const request = await makeRequest();
      if (request === undefined) return;
      const { kind: result } = await endpoint.post(request, { purpose: 'control', signal: ending.signal });
      logger.debug({ ...about, result }, `Posted a ${name} to an agent`);
    } catch (error) {
      logger.warn({ ...about, reason: String(error) }, `Failed to post a ${name} to an agent`);
    } finally {
      cancelTimer();
      this.#stopping.signal.removeEventListener('abort', end);
    }
  }
}

/** How many of the notices are for the same agent. */
function countFor({ targetId }: Notice, notices: ReadonlyMap<unknown, Notice>): number {
  let count = 0;
  for (const notice of notices.values()) if (notice.targetId === targetId) count += 1;
  return count;
}
