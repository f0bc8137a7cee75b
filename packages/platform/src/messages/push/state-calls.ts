import { randomUUID } from 'node:crypto';
import { STATE_CALL_METHOD } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceRow } from '../../database/schema.ts';
import type { PeerTokensService } from '../../peer-tokens/peer-tokens.service.ts';
import type { PushEndpoint } from './push-endpoint.ts';
import { runWithin } from './time-limit.ts';

/** Time for one call, in milliseconds. */
const TIME_LIMIT_MS = 5_000;
/** Concurrent calls, and workspaces that wait for one of these places. */
const MAX_RUNNING = 32;
const MAX_WAITING = 1_000;

/** A new status of an agent with a server. */
export interface StateCall {
  readonly workspaceId: string;
  readonly url: string;
  readonly status: 'paused' | 'awaiting_agent' | 'removed';
}

export interface StateCallsOptions extends Pick<PlatformContext, 'clock' | 'logger'> {
  readonly endpoint: PushEndpoint;
  readonly peerTokens: Pick<PeerTokensService, 'forPush'>;
}

/**
 * Lets agents with servers know that they were paused, resumed or removed, in the background, each change once. Calls are
 * best effort: heartbeats say the same later. One agent has one call at a time, so that it gets the changes in their
 * order; of several that wait only the last counts.
 */
export class StateCalls {
  readonly #options: StateCallsOptions;
  readonly #waiting = new Map<string, StateCall>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: StateCallsOptions) {
    this.#options = options;
  }

  /** After the commit: calls an agent with a server; one that polls learns its status by its requests. */
  announce(
    unit: UnitOfWork,
    { id: workspaceId, url, delivery_mode: mode }: WorkspaceRow,
    status: StateCall['status'],
  ): void {
    if (mode === 'push' && url !== null) unit.afterCommit(() => this.add({ workspaceId, url, status }));
  }

  add(call: StateCall): void {
    const { workspaceId } = call;
    if (this.#stopping.signal.aborted) return;
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(workspaceId)) {
      this.#options.logger.debug({ workspaceId }, 'Dropped a state call: too many wait');
      return;
    }
    this.#waiting.set(workspaceId, call);
    this.#startNext();
  }

  /** Aborts those that run and drops those that wait. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #startNext(): void {
    for (const [workspaceId, call] of this.#waiting) {
      if (this.#running.size >= MAX_RUNNING) return;
      if (this.#running.has(workspaceId)) continue;
      this.#waiting.delete(workspaceId);
      const run = this.#post(call).then(() => {
        this.#running.delete(workspaceId);
        this.#startNext();
      });
      this.#running.set(workspaceId, run);
    }
  }

  async #post({ workspaceId, url, status }: StateCall): Promise<void> {
    const { clock, endpoint, logger, peerTokens } = this.#options;
    const body = { jsonrpc: '2.0', id: randomUUID(), method: STATE_CALL_METHOD, params: { status } };
    const limits = { clock, timeLimitMs: TIME_LIMIT_MS, stopping: this.#stopping.signal };
    try {
      await runWithin(limits, async (signal) => {
        const { token } = await peerTokens.forPush(null, workspaceId);
        const headers = {
          'content-type': 'application/json',
          accept: 'application/json',
          'x-caller-kind': 'canvas_user',
          authorization: `Bearer ${token}`,
        };
        const request = { targetId: workspaceId, url, headers, body: JSON.stringify(body), signal };
        const result = await endpoint.post({ ...request, purpose: 'control' });
        logger.debug({ workspaceId, result: result.kind }, 'Posted a state call to an agent');
      });
    } catch (error) {
      logger.warn({ workspaceId, reason: String(error) }, 'Failed to post a state call to an agent');
    }
  }
}
