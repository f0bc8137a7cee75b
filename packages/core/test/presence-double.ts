import { ApiError } from '../src/errors/api-error.ts';
import { ConnectionError } from '../src/errors/connection-error.ts';
import { WorkspaceRemovedError } from '../src/errors/workspace-removed-error.ts';
import type {
  PresenceAnswer,
  PresenceMetrics,
  PresencePort,
  PresenceStatePoll,
} from '../src/presence/presence-port.ts';
import type { Clock } from '../src/time/clock.ts';
import type { CallOptions } from '../src/transport/platform-request.ts';
import { SELF } from './agent-ids.ts';

type Answer<T> = (options: CallOptions) => T | Promise<T>;

/** A platform as the presence loop sees it: online unless told otherwise, and it writes down what it is asked. */
export class PresenceDouble implements PresencePort {
  readonly beats: { readonly at: number; readonly metrics: PresenceMetrics }[] = [];
  readonly asked: string[] = [];
  /** Most heartbeats under way at the same time. */
  mostAtOnce = 0;
  onHeartbeat: Answer<PresenceAnswer> = () => ({ workspaceStatus: 'online', paused: false });
  onPollState: Answer<PresenceStatePoll> = () => ({ status: 'online', paused: false, deleted: false });
  onGetWorkspace: Answer<unknown> = () => ({});
  onRegister: Answer<unknown> = () => ({});
  readonly clock: Clock;
  #underWay = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Monotonic times of the heartbeats, in milliseconds. */
  get times(): number[] {
    return this.beats.map((beat) => beat.at);
  }

  async heartbeat(metrics: PresenceMetrics, options: CallOptions): Promise<PresenceAnswer> {
    this.beats.push({ at: this.clock.monotonic(), metrics });
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    try {
      return await this.onHeartbeat(options);
    } finally {
      this.#underWay -= 1;
    }
  }

  async pollState(options: CallOptions): Promise<PresenceStatePoll> {
    this.asked.push('pollState');
    return this.onPollState(options);
  }

  async getWorkspace(options: CallOptions): Promise<unknown> {
    this.asked.push('getWorkspace');
    return this.onGetWorkspace(options);
  }

  async register(options: CallOptions): Promise<unknown> {
    this.asked.push('register');
    return this.onRegister(options);
  }

  /** From now on nothing gets through. */
  goDown(): void {
    this.onHeartbeat =
      this.onPollState =
      this.onGetWorkspace =
      this.onRegister =
        () => {
          throw unreachable();
        };
  }

  /** From now on the workspace is online, or paused. */
  comeBack(state: { paused?: boolean; status?: string } = {}): void {
    const paused = state.paused ?? false;
    const status = state.status ?? (paused ? 'paused' : 'online');
    this.onHeartbeat = () => ({ workspaceStatus: status, paused });
    this.onPollState = () => ({ status, paused, deleted: false });
    this.onGetWorkspace = this.onRegister = () => ({});
  }

  /** From now on the token is refused, and the workspace itself answers with `explanation`. */
  refuse(explanation: Answer<unknown> = refusing(401, 'unauthorized')): void {
    this.onHeartbeat = this.onPollState = this.onRegister = refusing(401, 'unauthorized');
    this.onGetWorkspace = explanation;
  }
}

export function unreachable(): ConnectionError {
  return new ConnectionError('Nobody listens.', { origin: 'http://platform.test', delivered: 'no' });
}

export function refused(status: number, code: ConstructorParameters<typeof ApiError>[1]['code']): ApiError {
  return new ApiError(`The platform answered ${status}.`, {
    status,
    code,
    method: 'POST',
    path: '/registry',
  });
}

export function refusing(status: number, code: Parameters<typeof refused>[1]): () => never {
  return () => {
    throw refused(status, code);
  };
}

export function removed(): WorkspaceRemovedError {
  return new WorkspaceRemovedError('The workspace was removed.', {
    status: 410,
    method: 'GET',
    path: `/workspaces/${SELF}`,
    workspaceId: SELF,
  });
}

/** Never answers; gives up with its caller's signal. */
export function hanging<T>(options: CallOptions): Promise<T> {
  return new Promise((_resolve, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
  });
}
