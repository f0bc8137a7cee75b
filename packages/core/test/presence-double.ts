import type { ClientPort } from '../src/client/client-port.ts';
import type { HeartbeatMetrics, HeartbeatReport } from '../src/client/heartbeat.ts';
import type { Registration } from '../src/client/registration.ts';
import { ApiError, WorkspaceRemovedError } from '../src/errors/api-error.ts';
import { ConnectionError } from '../src/errors/connection-error.ts';
import type { WorkspaceStateReport } from '../src/platform-api/workspaces.ts';
import { readWorkspaceInfo, type WorkspaceInfo } from '../src/platform-api/workspaces.ts';
import type { Clock } from '../src/time/clock.ts';
import type { CallOptions } from '../src/transport/platform-request.ts';
import { SELF } from './agent-ids.ts';

type Responder<T> = (options: CallOptions) => T | Promise<T>;
type PresenceMethods = Pick<ClientPort, 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'>;

const ONLINE: WorkspaceStateReport = {
  workspaceId: SELF,
  status: 'online',
  paused: false,
  deleted: false,
  shouldStop: false,
};

/** The methods of the presence loop: online by default; records all calls. */
export class PresenceDouble implements PresenceMethods {
  readonly heartbeats: { readonly at: number; readonly metrics: HeartbeatMetrics }[] = [];
  readonly calls: string[] = [];
  /** Maximum number of concurrent heartbeats. */
  mostAtOnce = 0;
  onHeartbeat: Responder<Partial<HeartbeatReport>> = () => ({ workspaceStatus: 'online', paused: false });
  onPollState: Responder<Partial<WorkspaceStateReport>> = () => ({
    status: 'online',
    paused: false,
    deleted: false,
  });
  onGetWorkspace: Responder<unknown> = () => ({});
  onRegister: Responder<unknown> = () => ({});
  readonly clock: Clock;
  #underWay = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Monotonic times of the heartbeats, in milliseconds. */
  get times(): number[] {
    return this.heartbeats.map((heartbeat) => heartbeat.at);
  }

  async heartbeat(metrics: HeartbeatMetrics, options: CallOptions): Promise<HeartbeatReport> {
    this.heartbeats.push({ at: this.clock.monotonic(), metrics });
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    try {
      const report = await this.onHeartbeat(options);
      return { workspaceStatus: null, paused: null, pending: null, serverTime: null, ...report };
    } finally {
      this.#underWay -= 1;
    }
  }

  async pollState(options: CallOptions): Promise<WorkspaceStateReport> {
    this.calls.push('pollState');
    return { ...ONLINE, ...(await this.onPollState(options)) };
  }

  async getWorkspace(options: CallOptions): Promise<WorkspaceInfo> {
    this.calls.push('getWorkspace');
    await this.onGetWorkspace(options);
    return readWorkspaceInfo({ id: SELF }) as WorkspaceInfo;
  }

  async register(options: CallOptions): Promise<Registration> {
    this.calls.push('register');
    await this.onRegister(options);
    return { tokenIssued: false, deliveryMode: 'poll', orgId: null, issuer: null, expiresAt: null };
  }

  /** Makes all requests fail with a connection error. */
  goDown(): void {
    this.onHeartbeat =
      this.onPollState =
      this.onGetWorkspace =
      this.onRegister =
        () => {
          throw unreachable();
        };
  }

  /** Makes all requests succeed; the workspace is online, or paused. */
  comeBack(state: { paused?: boolean; status?: string } = {}): void {
    const paused = state.paused ?? false;
    const status = state.status ?? (paused ? 'paused' : 'online');
    this.onHeartbeat = () => ({ workspaceStatus: status, paused });
    this.onPollState = () => ({ status, paused, deleted: false });
    this.onGetWorkspace = this.onRegister = () => ({});
  }

  /** Refuses the token; reading the workspace has the result `explanation`. */
  refuse(explanation: Responder<unknown> = refusing(401, 'unauthorized')): void {
    this.onHeartbeat = this.onPollState = this.onRegister = refusing(401, 'unauthorized');
    this.onGetWorkspace = explanation;
  }
}

export function unreachable(): ConnectionError {
  return new ConnectionError('Connection refused.', { origin: 'http://platform.test', delivered: 'no' });
}

export function refused(
  status: number,
  code: ConstructorParameters<typeof ApiError>[1]['code'],
  platformCode?: string,
): ApiError {
  return new ApiError(`The platform returned ${status}.`, {
    status,
    code,
    platformCode,
    method: 'POST',
    path: '/registry',
  });
}

/** A 429 that asks for a pause. */
export function limited(retryAfterMs: number): ApiError {
  return new ApiError('The platform returned 429.', {
    status: 429,
    code: 'rate_limited',
    method: 'POST',
    path: '/registry',
    isRetryable: true,
    retryAfterMs,
  });
}

export function refusing(...refusal: Parameters<typeof refused>): () => never {
  return () => {
    throw refused(...refusal);
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

/** Never resolves; rejects when the signal aborts. */
export function hanging<T>(options: CallOptions): Promise<T> {
  return new Promise((_resolve, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
  });
}
