import { LOG_LEVELS, type Logger } from '../logging/logger.ts';
import { stderrLogger } from '../logging/stderr-logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import {
  checkHeaderValue,
  checkMethods,
  checkNumber,
  checkObject,
  checkPlatformUrl,
  checkRandom,
  type NumberBounds,
} from './checked-values.ts';
import { type Environment, readOption } from './environment.ts';
import { type PlatformProxy, resolveProxy } from './platform-proxy.ts';
import { checkDispatcher, type RequestDispatcher } from './request-dispatcher.ts';

const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
const DEFAULT_MESSAGE_TIMEOUT_MS = 15_000;
const DEFAULT_MAX_RETRIES = 3;
const DEFAULT_MAX_RETRY_AFTER_MS = 30_000;
const DEFAULT_MAX_CONNECTIONS = 64;
const DEFAULT_MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
const LOGGER_HINT = 'Pass a logger such as pino(), console, or silentLogger for none.';

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
  requestTimeoutMs: true,
  messageTimeoutMs: true,
  maxRetries: true,
  maxRetryAfterMs: true,
  maxConnections: true,
  dispatcher: true,
  proxy: true,
  maxResponseBytes: true,
  logger: true,
  clock: true,
  random: true,
} as const satisfies Record<keyof ConnectionOptions, true>;

/** Validated {@link ConnectionOptions} with all defaults applied; frozen. */
export interface ConnectionSettings {
  /** Without trailing slash. */
  readonly platformUrl: string;
  /** Scheme, host and port. Credentials are sent to this origin only. */
  readonly platformOrigin: string;
  /** Path prefix of every route; `''` for most platforms. */
  readonly basePath: string;
  readonly orgId: string | null;
  /** The `Origin` header, or `null` for none. */
  readonly origin: string | null;
  readonly requestTimeoutMs: number;
  readonly messageTimeoutMs: number;
  readonly maxRetries: number;
  readonly maxRetryAfterMs: number;
  readonly maxConnections: number;
  /** Whether connections are shared with the other clients of the process. */
  readonly isShared: boolean;
  /** `null` for connections of the client's own. */
  readonly dispatcher: RequestDispatcher | null;
  /** `null` for none. */
  readonly proxy: PlatformProxy | null;
  readonly maxResponseBytes: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * Validates {@link ConnectionOptions}. Missing values are taken from `env`, then from the defaults.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveConnection(options: ConnectionOptions, env: Environment): ConnectionSettings {
  checkObject('options', options, 'Pass an object, such as { platformUrl, workspaceId }.');
  const url = checkPlatformUrl(readOption('platformUrl', options.platformUrl, env));
  const basePath = url.pathname.replace(/\/+$/, '');
  const number = (
    option:
      | 'requestTimeoutMs'
      | 'messageTimeoutMs'
      | 'maxRetries'
      | 'maxRetryAfterMs'
      | 'maxConnections'
      | 'maxResponseBytes',
    fallback: number,
    bounds: NumberBounds,
  ): number => checkNumber(option, options[option] ?? fallback, bounds);
  const clock = checkMethods(
    'clock',
    options.clock ?? systemClock,
    ['now', 'monotonic', 'sleep', 'setTimer'],
    'Leave clock out for the system clock; createTestPlatform() has one for tests.',
  );
  const dispatcher = checkDispatcher(options.dispatcher);
  const proxy = resolveProxy(options.proxy, url, dispatcher === null ? env : {});
  return Object.freeze({
    platformUrl: url.origin + basePath,
    platformOrigin: url.origin,
    basePath,
    orgId: checkHeaderValue(readOption('orgId', options.orgId, env), 'orgId') ?? null,
    origin: resolveOrigin(options, env, url.origin),
    requestTimeoutMs: number('requestTimeoutMs', DEFAULT_REQUEST_TIMEOUT_MS, { min: 1 }),
    messageTimeoutMs: number('messageTimeoutMs', DEFAULT_MESSAGE_TIMEOUT_MS, { min: 1 }),
    maxRetries: number('maxRetries', DEFAULT_MAX_RETRIES, { min: 0, max: 20, isInteger: true }),
    maxRetryAfterMs: number('maxRetryAfterMs', DEFAULT_MAX_RETRY_AFTER_MS, { min: 0 }),
    maxConnections: number('maxConnections', DEFAULT_MAX_CONNECTIONS, {
      min: 1,
      max: 65_535,
      isInteger: true,
    }),
    // Another clock belongs to a test, which must not depend on others.
    isShared: dispatcher === null && clock === systemClock,
    dispatcher,
    proxy: dispatcher === null ? proxy : null,
    maxResponseBytes: number('maxResponseBytes', DEFAULT_MAX_RESPONSE_BYTES, {
      min: 1024,
      max: 2 ** 30,
      isInteger: true,
    }),
    logger: checkMethods('logger', options.logger ?? stderrLogger(), LOG_LEVELS, LOGGER_HINT),
    clock,
    random: checkRandom(options.random),
  });
}

function resolveOrigin(options: ConnectionOptions, env: Environment, platformOrigin: string): string | null {
  if (options.origin === null) return null;
  return checkHeaderValue(readOption('origin', options.origin, env), 'origin') ?? platformOrigin;
}
