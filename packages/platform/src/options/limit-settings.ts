import type { PlatformOptions } from './platform-options.ts';
import type { PlatformMode, PlatformSettings } from './platform-settings.ts';
import { type SettingReader, settingName } from './setting-reader.ts';

const name = settingName<PlatformOptions>;

const RATE_LIMIT = name('rateLimit', 'RATE_LIMIT');
const DEFAULT_RATE = 600;
const MAX_RATE = 1_000_000;
const MEBIBYTE = 1_024 ** 2;

type Limits = Pick<
  PlatformSettings,
  | 'rateLimit'
  | 'presenceRate'
  | 'progressRate'
  | 'pairRate'
  | 'maxHops'
  | 'maxTurns'
  | 'inboxLimit'
  | 'inboxBytes'
  | 'workspaceQuota'
  | 'eventLimit'
  | 'finishedBytes'
  | 'minFreeSpace'
  | 'activityRetentionDays'
>;

/** Reads the limits of what callers may send, and of what is stored for them. See docs/contract/limits.md. */
export function readLimits(read: SettingReader, options: PlatformOptions, mode: PlatformMode): Limits {
  const rateLimit = readRateLimit(read, options, mode);
  return {
    rateLimit,
    presenceRate: read.integer(
      name('presenceRate', 'MOLECULE_PRESENCE_RATE'),
      options.presenceRate,
      [10, MAX_RATE],
      Math.max(DEFAULT_RATE, rateLimit ?? 0),
    ),
    progressRate: read.integer(
      name('progressRate', 'MOLECULE_PROGRESS_RATE'),
      options.progressRate,
      [10, MAX_RATE],
      3_000,
    ),
    pairRate: read.integer(name('pairRate', 'MOLECULE_PAIR_RATE'), options.pairRate, [0, MAX_RATE], 120),
    maxHops: read.integer(name('maxHops', 'MOLECULE_MAX_HOPS'), options.maxHops, [1, 100], 8),
    maxTurns: read.integer(name('maxTurns', 'MOLECULE_MAX_TURNS'), options.maxTurns, [1, 1_000_000], 500),
    inboxLimit: read.integer(
      name('inboxLimit', 'MOLECULE_INBOX_LIMIT'),
      options.inboxLimit,
      [1, 10_000_000],
      10_000,
    ),
    inboxBytes: read.bytes(name('inboxBytes', 'MOLECULE_INBOX_BYTES'), options.inboxBytes, 256 * MEBIBYTE),
    workspaceQuota: read.bytes(
      name('workspaceQuota', 'MOLECULE_WORKSPACE_QUOTA'),
      options.workspaceQuota,
      1_024 * MEBIBYTE,
    ),
    finishedBytes: read.bytes(
      name('finishedBytes', 'MOLECULE_FINISHED_BYTES'),
      options.finishedBytes,
      1_024 * MEBIBYTE,
    ),
    minFreeSpace: read.bytes(
      name('minFreeSpace', 'MOLECULE_MIN_FREE_SPACE'),
      options.minFreeSpace,
      64 * MEBIBYTE,
    ),
    eventLimit: read.integer(
      name('eventLimit', 'MOLECULE_EVENT_LIMIT'),
      options.eventLimit,
      [1_000, 1_000_000_000],
      1_000_000,
    ),
    activityRetentionDays: read.integer(
      name('activityRetentionDays', 'ACTIVITY_RETENTION_DAYS'),
      options.activityRetentionDays,
      [1, 36_500],
      7,
    ),
  };
}

function readRateLimit(read: SettingReader, options: PlatformOptions, mode: PlatformMode): number | null {
  const { rateLimit } = options;
  const given = rateLimit ?? read.text(RATE_LIMIT, undefined)?.toLowerCase();
  if (given === 'off') return null;
  const number = rateLimit === 'off' ? undefined : rateLimit;
  return read.integer(RATE_LIMIT, number, [1, MAX_RATE], mode === 'dev' ? null : DEFAULT_RATE);
}
