import { type Logger, silentLogger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { checkHeaderValue, checkNumber, checkPlatformUrl, type NumberBounds } from './checked-values.ts';
import { type Environment, readOption } from './environment.ts';

const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
const DEFAULT_MESSAGE_TIMEOUT_MS = 15_000;
const DEFAULT_MAX_RETRIES = 3;
const DEFAULT_MAX_RETRY_AFTER_MS = 30_000;
const DEFAULT_MAX_CONNECTIONS = 64;
const DEFAULT_MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** How a platform is reached; shared by `RemoteAgentClient` and `OperatorClient`. */
export interface ConnectionOptions {
  /**
   * Base URL of the platform, for example `https://acme.example`. Trailing slashes do not matter.
   * Environment: `MOLECULE_PLATFORM_URL`, `PLATFORM_URL`.
   */
  platformUrl?: string | undefined;
  /** Organisation id, sent as `X-Molecule-Org-Id` on every request. Environment: `MOLECULE_ORG_ID`, `ORG_ID`. */
  orgId?: string | undefined;
  /**
   * The `Origin` header: left out means the platform's own origin, `null` sends none, any other text is sent as
   * given. Environment: `MOLECULE_ORIGIN`.
   */
  origin?: string | null | undefined;
  /** Longest wait for one attempt of an ordinary request, in milliseconds. @default 10_000 */
  requestTimeoutMs?: number | undefined;
  /** Longest wait for one attempt to read the feed, reply or notify, in milliseconds. @default 15_000 */
  messageTimeoutMs?: number | undefined;
  /** How often a request that is safe to repeat is repeated after 429, 502, 503, 504 or a connection error. @default 3 */
  maxRetries?: number | undefined;
  /** A longer `Retry-After` ends the retries and is reported on the error, in milliseconds. @default 30_000 */
  maxRetryAfterMs?: number | undefined;
  /** Most connections to the platform at the same time; further requests queue. @default 64 */
  maxConnections?: number | undefined;
  /** Answers larger than this are refused, in bytes. @default 16 MiB */
  maxAnswerBytes?: number | undefined;
  /** Where to log. Credentials are removed before. @default silent */
  logger?: Logger | undefined;
  /** @default the clock of this machine */
  clock?: Clock | undefined;
  /** Source of jitter, from 0 to 1. @default Math.random */
  random?: RandomSource | undefined;
}

/** {@link ConnectionOptions} after checking: complete and frozen. */
export interface ConnectionSettings {
  /** Without trailing slash. */
  readonly platformUrl: string;
  /** Scheme, host and port: the only place a credential is ever sent to. */
  readonly platformOrigin: string;
  /** Path in front of every route; `''` for most platforms. */
  readonly basePath: string;
  readonly orgId: string | null;
  /** The `Origin` header, or `null` for none. */
  readonly origin: string | null;
  readonly requestTimeoutMs: number;
  readonly messageTimeoutMs: number;
  readonly maxRetries: number;
  readonly maxRetryAfterMs: number;
  readonly maxConnections: number;
  readonly maxAnswerBytes: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * Checks {@link ConnectionOptions} and fills in what is missing.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveConnection(options: ConnectionOptions, env: Environment): ConnectionSettings {
  const url = checkPlatformUrl(readOption('platformUrl', options.platformUrl, env));
  const basePath = url.pathname.replace(/\/+$/, '');
  const number = (
    option:
      | 'requestTimeoutMs'
      | 'messageTimeoutMs'
      | 'maxRetries'
      | 'maxRetryAfterMs'
      | 'maxConnections'
      | 'maxAnswerBytes',
    fallback: number,
    bounds: NumberBounds,
  ): number => checkNumber(option, options[option] ?? fallback, bounds);
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
    maxAnswerBytes: number('maxAnswerBytes', DEFAULT_MAX_ANSWER_BYTES, {
      min: 1024,
      max: 2 ** 30,
      isInteger: true,
    }),
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  });
}

function resolveOrigin(options: ConnectionOptions, env: Environment, platformOrigin: string): string | null {
  if (options.origin === null) return null;
  return checkHeaderValue(readOption('origin', options.origin, env), 'origin') ?? platformOrigin;
}
