import type { CallOptions } from '../transport/platform-request.ts';

/** What a heartbeat says about the agent's work. All of it, every time: older platforms zero what is missing. */
export interface PresenceMetrics {
  /** What it is doing, or `''`. Shown to people. */
  readonly currentTask: string;
  readonly activeTasks: number;
  /** Share of failed attempts of late, 0 to 1. */
  readonly errorRate: number;
  /** Name and code of the latest failure, never its text, because texts quote messages. */
  readonly sampleError: string;
  readonly uptimeSeconds: number;
}

/** What a heartbeat tells us; `null` where an older platform is silent. */
export interface PresenceAnswer {
  readonly workspaceStatus: string | null;
  readonly paused: boolean | null;
}

/** How the workspace stands, by `GET /workspaces/:id/state`. */
export interface PresenceStatePoll {
  readonly status: string;
  readonly paused: boolean;
  readonly deleted: boolean;
}

/** What the presence loop needs of a client; `RemoteAgentClient` satisfies it. */
export interface PresencePort {
  /** Rejects with `WorkspaceRemovedError` when the workspace is gone. */
  heartbeat(metrics: PresenceMetrics, options: CallOptions): Promise<PresenceAnswer>;
  pollState(options: CallOptions): Promise<PresenceStatePoll>;
  /** Only asked to tell removal from revocation: rejects with `WorkspaceRemovedError` when it is gone. */
  getWorkspace(options: CallOptions): Promise<unknown>;
  register(options: CallOptions): Promise<unknown>;
}
