import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import { withDeadline } from '../time/deadline.ts';
import type { CallOptions } from '../transport/platform-request.ts';

const CALL_TIMEOUT_MS = 10_000;
const UNAUTHORIZED_LIMIT = 3;
/** What only the platform itself says about a workspace; a web page, a redirect or an outage confirms nothing. */
const CONFIRMS_REVOCATION: ReadonlySet<string> = new Set(['unauthorized', 'access_denied', 'not_found']);

/** The result of one round. */
export type RoundResult =
  | { readonly kind: 'alive'; readonly paused: boolean; readonly status: string | null }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'unauthorized'; readonly error: unknown }
  | { readonly kind: 'unreachable'; readonly error: unknown };

export interface HeartbeatRoundOptions {
  readonly client: Pick<PlatformClient, 'heartbeat' | 'pollState' | 'getWorkspace'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * One heartbeat and, when its response says nothing about a pause, one read of the state; each has 10 s. Counts
 * rounds in a row that met a 401: at the third it reads the workspace itself, which distinguishes removal from
 * revocation. A round that could not reach the platform neither counts nor clears.
 */
export class HeartbeatRound {
  readonly #options: HeartbeatRoundOptions;
  #unauthorized = 0;

  constructor(options: HeartbeatRoundOptions) {
    this.#options = options;
  }

  /** Rejects only with the signal's reason. */
  async run(metrics: HeartbeatMetrics, signal: AbortSignal): Promise<RoundResult> {
    try {
      const result = await this.#ask(metrics, signal);
      this.#unauthorized = 0;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (WorkspaceRemovedError.isInstance(error)) return { kind: 'deleted' };
      if (!isUnauthorized(error)) return { kind: 'unreachable', error };
      this.#unauthorized += 1;
      return this.#unauthorized < UNAUTHORIZED_LIMIT
        ? { kind: 'unauthorized', error }
        : this.#explain(signal);
    }
  }

  async #ask(metrics: HeartbeatMetrics, signal: AbortSignal): Promise<RoundResult> {
    const { client } = this.#options;
    const answer = await this.#call(signal, 'The heartbeat', (options) => client.heartbeat(metrics, options));
    if (answer.paused !== null) return alive(answer.paused, answer.workspaceStatus);
    // An older platform accepts heartbeats of removed workspaces too: only its state route reports the removal.
    try {
      const state = await this.#call(signal, 'The state poll', (options) => client.pollState(options));
      return state.deleted ? { kind: 'deleted' } : alive(state.paused, state.status);
    } catch (error) {
      if (isUnauthorized(error) || WorkspaceRemovedError.isInstance(error)) throw error;
      signal.throwIfAborted();
      this.#options.logger.debug({ error }, 'The heartbeat was taken, the state could not be read.');
      return alive(answer.workspaceStatus === 'paused', answer.workspaceStatus);
    }
  }

  async #explain(signal: AbortSignal): Promise<RoundResult> {
    const { client } = this.#options;
    try {
      await this.#call(signal, 'Asking for the workspace', (options) => client.getWorkspace(options));
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

function alive(paused: boolean, status: string | null): RoundResult {
  return { kind: 'alive', paused, status };
}

function isUnauthorized(error: unknown): boolean {
  return MoleculeError.isInstance(error) && error.code === 'unauthorized';
}
