import type { RequestDispatcher } from '../settings/connection-settings.ts';
import type { Bytes } from '../settings/node-types.ts';
import { abortSignal, type OptionsOf } from '../settings/options.ts';

export class CallShape {
  /** Aborts the call, which then rejects with the signal's reason. */
  signal = abortSignal();
}

export interface CallOptions extends OptionsOf<CallShape> {}

/** What a running agent says of its requests. */
export interface RunningAgentOptions extends CallOptions {
  /**
   * The running agent that sends this, 1–200 printable ASCII characters. The platform lets one of them at a time read
   * the messages of a workspace. @default none: the request neither claims nor renews anything
   */
  instanceId?: string | undefined;
  /** Whether to retry when the platform is unavailable. @default true */
  isRetried?: boolean | undefined;
}

/**
 * Requests of one lane never wait for those of another. `calls` and `receiving` each have `maxConnections` requests at the same
 * time; `presence`, of which there are few, is not limited.
 */
export type RequestLane = 'presence' | 'receiving' | 'calls';

export interface PlatformRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly lane: RequestLane;
  /** `?key=value…` or `''`. */
  readonly query?: string | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Whether it is safe to send twice; only then it is retried. */
  readonly isRepeatable: boolean;
  /**
   * Whether only a key in the body makes that safe. A platform without the capability `message-dedupe` does not keep keys:
   * there it is retried only if the platform certainly did not process it.
   */
  readonly isKeyed?: boolean | undefined;
  /** Time limit of one attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Time limit of all attempts and the pauses between them, in milliseconds. @default none */
  readonly totalTimeoutMs?: number | undefined;
  /** Overrides the current token; `null` sends none. */
  readonly bearer?: string | null | undefined;
  /** Additional headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Called with what was received of a response that is larger than the limit, before the request fails. */
  readonly onTooLarge?: ((received: Bytes) => void) | undefined;
  /** The workspace that a 410 of this route reports as removed. */
  readonly goneWorkspaceId?: string | undefined;
  /** Called when an attempt is written to a connection: from then on the platform may process it. */
  readonly onSent?: (() => void) | undefined;
  /** What sends each attempt instead of the client's connections, which it is given. */
  readonly through?: ((direct: RequestDispatcher) => RequestDispatcher) | undefined;
  /** Whether a stream of server-sent events is returned with its headers. @default false */
  readonly isStreamed?: boolean | undefined;
  /** Whether an error of this route may contain the words of a peer; they are kept out of messages and excerpts. */
  readonly relaysPeerText?: boolean | undefined;
}

/** A response with status 2xx. */
export interface PlatformResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The parsed JSON body; `undefined` if it was empty. */
  readonly body: unknown;
}
