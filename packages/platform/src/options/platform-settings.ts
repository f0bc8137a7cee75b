/** The two ways to run, nothing between (decision 2). */
export type PlatformMode = 'production' | 'dev';

/** Which relatives may talk: seed 002's table, or any ancestor and descendant as well (decision 7). */
export type HierarchyMode = 'direct' | 'ancestors';

/** What of each exchange is held against the strict wire schemas. */
export type ContractCheck = 'off' | 'answers' | 'all';

/** Every setting, resolved and checked: nothing optional, times in milliseconds. Frozen. */
export interface PlatformSettings {
  readonly mode: PlatformMode;
  readonly host: string;
  readonly port: number;
  /** Folder of the database and the operator key; null keeps everything in memory. */
  readonly dataDir: string | null;
  /** `ADMIN_TOKEN` in production; in dev mode null until the platform has made or read one. */
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
  /** Requests a minute for each token or address; null is unlimited. */
  readonly rateLimit: number | null;
  readonly corsOrigins: readonly string[];
  readonly inboxLimit: number;
  readonly synchronous: 'full' | 'normal';
  readonly activityRetentionDays: number;
  readonly contractCheck: ContractCheck;
  /** How long a stop waits for requests in flight. */
  readonly stopTimeoutMs: number;
  /** How long one push attempt owns its message. */
  readonly leaseMs: number;
  /** How long a call to a poll target is held for its answer, unless `X-Timeout` says otherwise. */
  readonly answerHoldSeconds: number;
  /** Push attempts before a message is a dead letter. */
  readonly maxAttempts: number;
  /** Longest silence and longest time of one push to an agent. */
  readonly pushTimeoutMs: number;
  /** How often the queue is looked through for what no event brought up. */
  readonly drainEveryMs: number;
}
