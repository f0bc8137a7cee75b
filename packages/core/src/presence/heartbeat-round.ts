import type { HeartbeatMetrics, HeartbeatOptions } from '../client/heartbeat.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import { withDeadline } from '../time/linked-abort.ts';
import type { CallOptions } from '../transport/platform-request.ts';

const CALL_TIMEOUT_MS = 10_000;
const UNAUTHORIZED_LIMIT = 3;
/** Errors that only the platform itself returns; a web page, a redirect or an outage confirms nothing. */
const CONFIRMS_REVOCATION: ReadonlySet<string> = new Set(['unauthorized', 'access_denied', 'not_found']);

export type RoundResult =
  /** `paused` is `null` when the platform did not say: then it is as before. */
  | { readonly kind: 'alive'; readonly paused: boolean | null; readonly status: string | null }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'unauthorized'; readonly error: unknown }
  /** The platform responded, and wants fewer requests. */
  | { readonly kind: 'limited'; readonly error: unknown }
  | { readonly kind: 'unreachable'; readonly error: unknown };

export interface HeartbeatRoundOptions {
  readonly client: Pick<PlatformClient, 'heartbeat' | 'pollState' | 'getWorkspace'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sends one heartbeat and, if its response does not contain the pause state, polls the state; each request has 10 s.
 * After the third consecutive 401 it reads the workspace, to distinguish removal from revocation. A round that could not
 * reach the platform does not change that count.
 */
export class HeartbeatRound {
  readonly #options: HeartbeatRoundOptions;
  #unauthorized = 0;

  constructor(options: HeartbeatRoundOptions) {
    this.#options = options;
  }

  /** Rejects only with the signal's reason. */
  async run(
    metrics: HeartbeatMetrics,
    signal: AbortSignal,
    thread?: HeartbeatOptions['thread'],
  ): Promise<RoundResult> {
    try {
      const result = await this.#check(metrics, signal, thread);
      this.#unauthorized = 0;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (WorkspaceRemovedError.isInstance(error)) return { kind: 'deleted' };
      if (hasCode(error, 'rate_limited')) return { kind: 'limited', error };
      if (!isUnauthorized(error)) return { kind: 'unreachable', error };
      this.#unauthorized += 1;
      return this.#unauthorized < UNAUTHORIZED_LIMIT
        ? { kind: 'unauthorized', error }
        : this.#classifyRejection(signal);
    }
  }

  async #check(
    metrics: HeartbeatMetrics,
    signal: AbortSignal,
    thread: HeartbeatOptions['thread'],
  ): Promise<RoundResult> {
    const { client } = this.#options;
    // The pause before the next round is longer than that of a retry, so that agents do not return together.
    const report = await this.#call(signal, 'The heartbeat', (options) =>
      client.heartbeat(metrics, { ...options, isRetried: false, ...(thread && { thread }) }),
    );
    if (report.paused !== null) return alive(report.paused, report.workspaceStatus);
    // Older platforms also accept heartbeats of removed workspaces: only their state route reports the removal.
    try {
      // The next round says more than a retry, for which there may be no time.
      const state = await this.#call(signal, 'The state poll', (options) =>
        client.pollState({ ...options, isRetried: false }),
      );
      return state.deleted ? { kind: 'deleted' } : alive(state.paused, state.status);
    } catch (error) {
      if (isUnauthorized(error) || WorkspaceRemovedError.isInstance(error)) throw error;
      signal.throwIfAborted();
      this.#options.logger.debug({ error }, 'The heartbeat succeeded, but the state could not be read.');
      const { workspaceStatus } = report;
      return alive(workspaceStatus === null ? null : workspaceStatus === 'paused', workspaceStatus);
    }
  }

  async #classifyRejection(signal: AbortSignal): Promise<RoundResult> {
    const { client } = this.#options;
    try {
      await this.#call(signal, 'Reading the workspace', (options) => client.getWorkspace(options));
      return { kind: 'rejected' };
    } catch (error) {
      signal.throwIfAborted();
      if (WorkspaceRemovedError.isInstance(error)) return { kind: 'deleted' };
      const isConfirmed = ApiError.isInstance(error) && CONFIRMS_REVOCATION.has(error.code);
      return isConfirmed ? { kind: 'rejected' } : { kind: 'unreachable', error };
    }
  }

  #call<T>(signal: AbortSignal, what: string, work: (options: CallOptions) => Promise<T>): Promise<T> {
    const deadline = { clock: this.#options.clock, timeoutMs: CALL_TIMEOUT_MS, what, signal };
    return withDeadline(deadline, (inner) => work({ signal: inner }));
  }
}

function alive(paused: boolean | null, status: string | null): RoundResult {
  return { kind: 'alive', paused, status };
}

function isUnauthorized(error: unknown): boolean {
  return hasCode(error, 'unauthorized');
}

function hasCode(error: unknown, code: MoleculeErrorCode): boolean {
  return MoleculeError.isInstance(error) && error.code === code;
}
