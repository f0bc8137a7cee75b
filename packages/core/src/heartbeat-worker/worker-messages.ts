import type { PlatformProxy } from '../settings/platform-proxy.ts';

/** Changes with the messages below: copies of this package that differ in it have workers of their own. */
export const MESSAGES_VERSION = 3;

/** The proxy for the requests to the platform. `authorization` is secret. */
export type WorkerProxy = Pick<PlatformProxy, 'origin' | 'authorization'>;

/** A heartbeat as it is sent. */
export interface HeartbeatToSend {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly proxy: WorkerProxy | null;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the worker keeps of an agent, to repeat its last heartbeat. */
export interface KeptHeartbeat extends HeartbeatToSend {
  /** Longest time between two heartbeats of the main thread, in milliseconds. */
  readonly intervalMs: number;
  /** How long the main thread may be blocked before the agent is reported as wedged, in milliseconds. */
  readonly maxBlockMs: number;
}

/** From the main thread. `agent` is the id of an agent of this process, `exchange` that of one request. */
export type ToWorker =
  /** Replaces what is repeated for the agent. With an exchange the worker also sends it now. */
  | {
      readonly type: 'keep';
      readonly agent: string;
      readonly exchange: number | null;
      readonly heartbeat: KeptHeartbeat;
    }
  /** The token was replaced; `authorization` is the header. */
  | { readonly type: 'authorize'; readonly agent: string; readonly authorization: string }
  | { readonly type: 'forget'; readonly agent: string }
  | { readonly type: 'pong' };

/** The end of one request. The beginning of a larger body is kept. */
export type ExchangeEnd =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      readonly body: Uint8Array;
    }
  | { readonly kind: 'error'; readonly code: string; readonly name: string; readonly message: string };

/** A heartbeat that the worker repeated by itself. */
export interface RepeatedHeartbeat {
  /** `null` without a response. */
  readonly status: number | null;
  readonly isWedged: boolean;
  /** How long the main thread had not responded, in milliseconds. */
  readonly blockedMs: number;
}

export type FromWorker =
  | { readonly type: 'ended'; readonly exchange: number; readonly end: ExchangeEnd }
  | { readonly type: 'repeated'; readonly agent: string; readonly heartbeat: RepeatedHeartbeat }
  | { readonly type: 'ping' };
