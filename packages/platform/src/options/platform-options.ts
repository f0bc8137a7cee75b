import type { HostResolver } from '@molecule-ai/net-guard';
import type { PlatformLogger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';

/** See docs/decisions/0002-two-modes.md. */
export type PlatformMode = 'production' | 'dev';

/** Which relatives may communicate. See docs/contract/authentication.md#who-may-communicate. */
export type HierarchyMode = 'direct' | 'ancestors';

/** What of each exchange is validated against the strict schemas. */
export type ContractCheck = 'off' | 'responses' | 'all';

/**
 * Options of a platform. Each setting can be given here or by its environment variable; an option has priority.
 * In production mode `adminToken` and `secretsEncryptionKey` are required.
 */
export interface PlatformOptions {
  /**
   * `dev` listens on the loopback address only and needs no credentials there.
   * @default 'production', or 'dev' when `MOLECULE_ENV` is `development` and there is no `ADMIN_TOKEN`
   */
  readonly mode?: PlatformMode | undefined;
  /** Address to listen on (`HOST`). In dev mode only a loopback one. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** Port to listen on (`PORT`); 0 picks a free one. @default 8080 */
  readonly port?: number | undefined;
  /** Folder of the database and the operator key (`MOLECULE_DATA_DIR`). @default '~/.molecule/platform' */
  readonly dataDir?: string | undefined;
  /** Keep everything in memory; all data is lost when the platform stops. @default false */
  readonly memory?: boolean | undefined;
  /** The operator key of production mode (`ADMIN_TOKEN`). */
  readonly adminToken?: string | undefined;
  /** The operator key of dev mode (`MOLECULE_OPERATOR_KEY`). @default generated once and stored in the data folder */
  readonly operatorKey?: string | undefined;
  /** Key for secrets (`SECRETS_ENCRYPTION_KEY`): base64 of 32 bytes, or 32 characters. */
  readonly secretsEncryptionKey?: string | undefined;
  /** The URL under which agents reach the platform (`EXTERNAL_PLATFORM_URL`). @default the address listened on */
  readonly publicUrl?: string | undefined;
  /** Accept only requests with this `X-Molecule-Org-Id` (`MOLECULE_ORG_ID`). @default all are accepted */
  readonly orgId?: string | undefined;
  /**
   * Private networks in CIDR notation where agents may be reached (`MOLECULE_ALLOW_AGENT_NETWORKS`, with commas).
   * Link-local and metadata addresses stay refused.
   * @default none in production, all private ones in dev mode
   */
  readonly allowAgentNetworks?: readonly string[] | undefined;
  /** Mark answers of peers as untrusted (`MOLECULE_WRAP_PEER_RESULTS`). @default true */
  readonly wrapPeerResults?: boolean | undefined;
  /** Who may communicate (`MOLECULE_HIERARCHY`): direct relatives, or ancestors too. @default 'direct' */
  readonly hierarchy?: HierarchyMode | undefined;
  /** A silent agent is offline after this time (`REMOTE_LIVENESS_STALE_AFTER`, as `90s` or seconds). @default 90_000 */
  readonly livenessStaleAfterMs?: number | undefined;
  /** How long a new workspace may be claimed without a credential (`MOLECULE_CLAIM_WINDOW`). @default 900_000 */
  readonly claimWindowMs?: number | undefined;
  /**
   * Requests a minute of each workspace, operator credential or unknown address (`RATE_LIMIT`); `'off'` switches all rate
   * limits off. @default 600, off in dev mode
   */
  readonly rateLimit?: number | 'off' | undefined;
  /**
   * Heartbeats and acknowledgements a minute of each workspace (`MOLECULE_PRESENCE_RATE`), of which a tenth is only for
   * heartbeats. @default the larger one of 600 and `rateLimit`
   */
  readonly presenceRate?: number | undefined;
  /** Reports of progress a minute of each workspace (`MOLECULE_PROGRESS_RATE`). @default 3 000 */
  readonly progressRate?: number | undefined;
  /** Origins of web pages that may call the platform (`CORS_ORIGINS`, with commas). @default none */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Messages that may wait for one workspace before senders get 429 (`MOLECULE_INBOX_LIMIT`). @default 10_000 */
  readonly inboxLimit?: number | undefined;
  /** The same in bytes (`MOLECULE_INBOX_BYTES`, as `256MiB`). @default 268_435_456 */
  readonly inboxBytes?: number | undefined;
  /**
   * Bytes of notifications and reports that are stored for one workspace before it gets 429 (`MOLECULE_WORKSPACE_QUOTA`,
   * as `1GiB`). @default 1_073_741_824
   */
  readonly workspaceQuota?: number | undefined;
  /** Bytes of finished messages that are kept for one workspace (`MOLECULE_FINISHED_BYTES`, as `1GiB`). @default 1_073_741_824 */
  readonly finishedBytes?: number | undefined;
  /** `/ready` is 503 while less is free in the data folder (`MOLECULE_MIN_FREE_SPACE`, as `64MiB`). @default 67_108_864 */
  readonly minFreeSpace?: number | undefined;
  /** Events that are kept at most, however young (`MOLECULE_EVENT_LIMIT`). @default 1_000_000 */
  readonly eventLimit?: number | undefined;
  /** `normal` may lose the last commits in a power cut, and is faster (`MOLECULE_SYNCHRONOUS`). @default 'full' */
  readonly synchronous?: 'full' | 'normal' | undefined;
  /** Days that acknowledged feed rows are kept (`ACTIVITY_RETENTION_DAYS`). @default 7 */
  readonly activityRetentionDays?: number | undefined;
  /** How long a message may stay without an end before it expires (`MOLECULE_MESSAGE_TTL`, as `168h` or seconds). @default 604_800_000 */
  readonly messageTtlMs?: number | undefined;
  /** How long a question of an agent may stay unanswered (`MOLECULE_QUESTION_TTL`, as `24h` or seconds). @default 86_400_000 */
  readonly questionTtlMs?: number | undefined;
  /** Validate exchanges against the strict schemas; a violation is a 500 (`MOLECULE_CONTRACT_CHECK`). @default 'off' */
  readonly contractCheck?: ContractCheck | undefined;
  /** How long `close()` waits for requests in flight (`MOLECULE_STOP_TIMEOUT`). @default 10_000 */
  readonly stopTimeoutMs?: number | undefined;
  /** Duration of the lease of one push attempt, in ms (`MOLECULE_PUSH_LEASE`). @default 60_000 */
  readonly leaseMs?: number | undefined;
  /**
   * Seconds that a call to a polling agent waits for its answer (`MOLECULE_ANSWER_HOLD_SECONDS`). Keep it below 30, after which the channel
   * bridge gives up and may send the message again. @default 25
   */
  readonly answerHoldSeconds?: number | undefined;
  /**
   * How many messages between workspaces may follow from each other before the next one is refused as a loop
   * (`MOLECULE_MAX_HOPS`). @default 8
   */
  readonly maxHops?: number | undefined;
  /** How many late answers may be handled on one path before the next message is refused (`MOLECULE_MAX_TURNS`). @default 500 */
  readonly maxTurns?: number | undefined;
  /**
   * Messages a minute that two workspaces may send to each other in both directions without naming a parent
   * (`MOLECULE_PAIR_RATE`); 0 switches the limit off. @default 120
   */
  readonly pairRate?: number | undefined;
  /** Push attempts before a message is a dead letter (`MOLECULE_MAX_ATTEMPTS`). @default 5 */
  readonly maxAttempts?: number | undefined;
  /** Maximum idle time and maximum total time of one push (`A2A_IDLE_TIMEOUT_SECONDS`). @default 300_000 */
  readonly pushTimeoutMs?: number | undefined;
  /** Interval at which the queue is checked for messages that no event triggered (`MOLECULE_DRAIN_EVERY`). @default 15_000 */
  readonly drainEveryMs?: number | undefined;
  /** Called with each SQL text that runs. @default none */
  readonly onQuery?: ((sql: string) => void) | undefined;
  /** @default silent */
  readonly logger?: PlatformLogger | undefined;
  /** @default the system's clock */
  readonly clock?: Clock | undefined;
  /** Resolves the host names of agents before connecting. @default the system's resolver */
  readonly resolve?: HostResolver | undefined;
}

/** Options that are no settings: they are parts of the platform, or decide other settings. */
type NoSetting = 'memory' | 'adminToken' | 'onQuery' | 'logger' | 'clock' | 'resolve';
/** Settings that may be absent. */
type Nullable = 'dataDir' | 'operatorKey' | 'secretsEncryptionKey' | 'publicUrl' | 'orgId' | 'rateLimit';

/** The settings that always have a value; {@link PlatformOptions} describes each. */
type Resolved = {
  readonly [Name in Exclude<keyof PlatformOptions, NoSetting | Nullable>]-?: NonNullable<
    PlatformOptions[Name]
  >;
};

/** Every setting, resolved and validated; times in milliseconds. Frozen. */
export interface PlatformSettings extends Resolved {
  /** Folder of the database and the operator key; null keeps everything in memory. */
  readonly dataDir: string | null;
  /** `ADMIN_TOKEN` in production; in dev mode null until the platform has generated or read one. */
  readonly operatorKey: string | null;
  readonly secretsEncryptionKey: string | null;
  readonly publicUrl: string | null;
  readonly orgId: string | null;
  /** Null is unlimited. */
  readonly rateLimit: number | null;
  readonly livenessSweepEveryMs: number;
}
