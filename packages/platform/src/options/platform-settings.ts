/** See docs/decisions/0002-two-modes.md. */
export type PlatformMode = 'production' | 'dev';

/** Which relatives may communicate. See docs/contract/authentication.md#who-may-communicate. */
export type HierarchyMode = 'direct' | 'ancestors';

/** What of each exchange is validated against the strict schemas. */
export type ContractCheck = 'off' | 'responses' | 'all';

/** Every setting, resolved and validated; times in milliseconds. Frozen. */
export interface PlatformSettings {
  readonly mode: PlatformMode;
  readonly host: string;
  readonly port: number;
  /** Folder of the database and the operator key; null keeps everything in memory. */
  readonly dataDir: string | null;
  /** `ADMIN_TOKEN` in production; in dev mode null until the platform has generated or read one. */
  readonly operatorKey: string | null;
  readonly secretsEncryptionKey: string | null;
  readonly publicUrl: string | null;
  readonly orgId: string | null;
  readonly allowAgentNetworks: readonly string[];
  readonly wrapPeerResults: boolean;
  readonly hierarchy: HierarchyMode;
  readonly livenessStaleAfterMs: number;
  readonly livenessSweepEveryMs: number;
  readonly claimWindowMs: number;
  /** Requests a minute of each workspace, operator credential or unknown address; null is unlimited. */
  readonly rateLimit: number | null;
  /** Heartbeats and acknowledgements a minute of each workspace, unless `rateLimit` is null. */
  readonly presenceRate: number;
  /** Reports of progress a minute of each workspace, unless `rateLimit` is null. */
  readonly progressRate: number;
  readonly corsOrigins: readonly string[];
  /** Messages that may wait for one workspace, and their size in bytes. */
  readonly inboxLimit: number;
  readonly inboxBytes: number;
  /** Bytes that a workspace may have stored by writing to its own feed. */
  readonly workspaceQuota: number;
  readonly eventLimit: number;
  /** Bytes of finished messages that are kept for one workspace. */
  readonly finishedBytes: number;
  /** Bytes that must be free in the data folder of a platform that is ready. */
  readonly minFreeSpace: number;
  readonly synchronous: 'full' | 'normal';
  readonly activityRetentionDays: number;
  /** How long a message may stay without an end. */
  readonly messageTtlMs: number;
  /** How long a question may stay unanswered. */
  readonly questionTtlMs: number;
  readonly contractCheck: ContractCheck;
  /** How long a stop waits for requests in flight. */
  readonly stopTimeoutMs: number;
  /** Duration of the lease of one push attempt. */
  readonly leaseMs: number;
  /** How long a call to a poll target is held for its answer when it has no `X-Timeout`. */
  readonly answerHoldSeconds: number;
  /** Messages between workspaces, each sent because of the one before, before the next is a loop. */
  readonly maxHops: number;
  /** Late answers handled on one path before the next message is a loop. */
  readonly maxTurns: number;
  /** Messages a minute that two workspaces may send each other without naming a parent; 0 is unlimited. */
  readonly pairRate: number;
  /** Push attempts before a message is a dead letter. */
  readonly maxAttempts: number;
  /** Maximum idle time and maximum total time of one push to an agent. */
  readonly pushTimeoutMs: number;
  /** Interval at which the queue is checked for messages that no event triggered. */
  readonly drainEveryMs: number;
}
