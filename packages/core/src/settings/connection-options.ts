import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';

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
   * given (decision 27). Environment: `MOLECULE_ORIGIN`.
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
