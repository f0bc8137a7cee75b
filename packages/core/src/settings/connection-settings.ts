import { LOG_LEVELS, type Logger } from '../logging/logger.ts';
import { stderrLogger } from '../logging/stderr-logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { checkMethods, checkNumbers, checkRandom } from './checked-values.ts';
import { checkHeaderValue, checkPlatformUrl, readOption } from './environment.ts';
import { type PlatformProxy, resolveProxy } from './platform-proxy.ts';

const NUMBERS = {
  requestTimeoutMs: { byDefault: 10_000, min: 1 },
  messageTimeoutMs: { byDefault: 15_000, min: 1 },
  maxRetries: { byDefault: 3, min: 0, max: 20, isInteger: true },
  maxRetryAfterMs: { byDefault: 30_000, min: 0 },
  maxConnections: { byDefault: 64, min: 1, max: 65_535, isInteger: true },
  maxResponseBytes: { byDefault: 16 * 1024 * 1024, min: 1024, max: 2 ** 30, isInteger: true },
} as const;
const DISPATCHER_HINT =
  'Pass an Agent or a ProxyAgent of undici; the Agent of node:http or node:https is something else.';
const LOGGER_HINT = 'Pass a logger such as pino(), console, or silentLogger for none.';

/**
 * What sends requests: an `Agent`, `ProxyAgent` or `MockAgent` of undici 7 or newer, the `dispatcher` of `createTestPlatform()`, or one
 * of your own.
 */
export interface RequestDispatcher {
  /**
   * Sends a request and calls the handler, not before this method has returned or within it. Errors go to `onResponseError`; what is
   * thrown counts as an error before the request was sent.
   * @returns whether more can be sent at once; not used.
   */
  dispatch(options: DispatchedRequest, handler: DispatchHandler): boolean;
}

/** One request. */
export interface DispatchedRequest {
  /** Scheme, host and port, for example `https://acme.example`. */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly method: string;
  /** Name, value, name, value. The names are in lower case. */
  readonly headers: string[];
  readonly body: string | null;
  /** 0: the time limits are those of the client. */
  readonly headersTimeout: 0;
  /** 0: the time limits are those of the client. */
  readonly bodyTimeout: 0;
}

/** Receives the response, in this order of methods. `onResponseEnd` or `onResponseError` is the last one. */
export interface DispatchHandler {
  /** When the request is being written; before that it counts as not sent. */
  onRequestStart(controller: DispatchController, context: unknown): void;
  /** @param headers Names in lower case. */
  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void;
  onResponseData(controller: DispatchController, chunk: Buffer): void;
  onResponseEnd(
    controller: DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void;
  onResponseError(controller: DispatchController | undefined, error: Error): void;
}

/** The exchange under way, as the handler controls it. */
export interface DispatchController {
  /** Closes the connection of the exchange. */
  abort(reason: Error): void;
  /** No more data until `resume`. */
  pause(): void;
  resume(): void;
}

/** The connection to a platform; shared by `RemoteAgentClient` and `OperatorClient`. */
export interface ConnectionOptions {
  /**
   * Base URL of the platform, for example `https://acme.example`. Trailing slashes are ignored.
   * Environment: `MOLECULE_PLATFORM_URL`, `PLATFORM_URL`.
   */
  platformUrl?: string | undefined;
  /** Organisation id, sent as `X-Molecule-Org-Id` on every request. Environment: `MOLECULE_ORG_ID`, `ORG_ID`. */
  orgId?: string | undefined;
  /**
   * The `Origin` header; `null` sends none. Environment: `MOLECULE_ORIGIN`. @default the platform's own origin
   */
  origin?: string | null | undefined;
  /** Time limit of one attempt of an ordinary request, in milliseconds. @default 10_000 */
  requestTimeoutMs?: number | undefined;
  /** Time limit of one attempt to read the feed, reply or notify, in milliseconds. @default 15_000 */
  messageTimeoutMs?: number | undefined;
  /** Number of retries after 429, 502, 503, 504 or a connection error, for requests that are safe to repeat. @default 3 */
  maxRetries?: number | undefined;
  /** A longer `Retry-After` is not waited for but reported by the error, in milliseconds. @default 30_000 */
  maxRetryAfterMs?: number | undefined;
  /**
   * Maximum number of requests of this client at the same time; further ones are queued. As many more are for what the agent needs to
   * receive and answer messages and to cancel its own, and presence, such as a heartbeat, is not limited: neither waits for calls. The connections are shared
   * by all clients of the process with this platform. @default 64
   */
  maxConnections?: number | undefined;
  /**
   * Sends the requests and streams to the platform, for example an `Agent` of undici with certificates of your own, or its
   * `Socks5ProxyAgent`. The client does not close it and uses no proxy then, and `maxConnections` does not apply. Direct calls of peers do
   * not use it. A dispatcher that follows redirects, or sends requests elsewhere, takes the credential along.
   * @default connections that all clients of the process share
   */
  dispatcher?: RequestDispatcher | undefined;
  /**
   * The HTTP proxy through which the platform is reached, such as `http://user:password@proxy.internal:3128`; `false` for none, whatever
   * the environment says. Also that of the heartbeats' worker thread, but not of direct calls of peers. Not used with a `dispatcher`.
   * Environment: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, lower case first; a platform on this machine is reached without them.
   * @default the proxy of the environment
   */
  proxy?: string | false | undefined;
  /** Larger responses are rejected with `response_too_large`, in bytes. @default 16 MiB */
  maxResponseBytes?: number | undefined;
  /**
   * Where to log; credentials are redacted before. `silentLogger` switches the log off.
   * @default warnings and errors to stderr, one line each
   */
  logger?: Logger | undefined;
  /** @default the system clock */
  clock?: Clock | undefined;
  /** Source of jitter, from 0 to 1. @default Math.random */
  random?: RandomSource | undefined;
}

/** The names of {@link ConnectionOptions}. */
export const CONNECTION_OPTION_NAMES = {
  platformUrl: true,
  orgId: true,
  origin: true,
  ...NUMBERS,
  dispatcher: true,
  proxy: true,
  logger: true,
  clock: true,
  random: true,
} satisfies Record<keyof ConnectionOptions, unknown>;

/** Validated {@link ConnectionOptions} with all defaults applied; frozen. */
export interface ConnectionSettings extends Readonly<Record<keyof typeof NUMBERS, number>> {
  /** Without trailing slash. */
  readonly platformUrl: string;
  /** Scheme, host and port. Credentials are sent to this origin only. */
  readonly platformOrigin: string;
  /** Path prefix of every route; `''` for most platforms. */
  readonly basePath: string;
  readonly orgId: string | null;
  /** The `Origin` header, or `null` for none. */
  readonly origin: string | null;
  /** Whether connections are shared with the other clients of the process. */
  readonly isShared: boolean;
  /** `null` for connections of the client's own. */
  readonly dispatcher: RequestDispatcher | null;
  /** `null` for none. */
  readonly proxy: PlatformProxy | null;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * Validates {@link ConnectionOptions}. Missing values are taken from `env`, then from the defaults.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveConnection(options: ConnectionOptions, env: NodeJS.ProcessEnv): ConnectionSettings {
  const url = checkPlatformUrl(readOption('platformUrl', options.platformUrl, env));
  const basePath = url.pathname.replace(/\/+$/, '');
  const clock = checkMethods(
    'clock',
    options.clock ?? systemClock,
    ['now', 'monotonic', 'sleep', 'setTimer'],
    'Leave clock out for the system clock; createTestPlatform() has one for tests.',
  );
  const { dispatcher: given } = options;
  const dispatcher =
    given === undefined ? null : checkMethods('dispatcher', given, ['dispatch'], DISPATCHER_HINT);
  const proxy = resolveProxy(options.proxy, url, dispatcher === null ? env : {});
  return Object.freeze({
    ...checkNumbers(options, NUMBERS),
    platformUrl: url.origin + basePath,
    platformOrigin: url.origin,
    basePath,
    orgId: checkHeaderValue(readOption('orgId', options.orgId, env), 'orgId') ?? null,
    origin:
      options.origin === null
        ? null
        : (checkHeaderValue(readOption('origin', options.origin, env), 'origin') ?? url.origin),
    // Another clock belongs to a test, which must not depend on others.
    isShared: dispatcher === null && clock === systemClock,
    dispatcher,
    proxy: dispatcher === null ? proxy : null,
    logger: checkMethods('logger', options.logger ?? stderrLogger(), LOG_LEVELS, LOGGER_HINT),
    clock,
    random: checkRandom(options.random),
  });
}
