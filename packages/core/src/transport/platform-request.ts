/** Options every call to the platform takes. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** One request to the platform, before credentials and retries. */
export interface PlatformRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Made by `platformPath`. */
  readonly path: string;
  /** Made by `queryOf`. */
  readonly query?: string | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Whether sending it twice does no harm; only then it is retried. */
  readonly isRepeatable: boolean;
  /** Longest wait for one attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest wait for all attempts and the pauses between them, in milliseconds; left out means no such limit. */
  readonly totalTimeoutMs?: number | undefined;
  /** How long the platform may hold the request, in whole seconds: `X-Timeout`. */
  readonly holdSeconds?: number | undefined;
  /** Instead of the token in use: a certain bearer, or `null` for none. */
  readonly bearer?: string | null | undefined;
  /** The workspace whose removal a 410 of this route means. */
  readonly goneWorkspaceId?: string | undefined;
}

/** A successful response of the platform. */
export interface PlatformResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The parsed JSON body; `undefined` when it was empty. */
  readonly body: unknown;
}
