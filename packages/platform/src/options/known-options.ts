import { closestMatch } from 'leven';
import type { PlatformOptions } from './platform-options.ts';
import type { OptionProblem } from './platform-options-error.ts';

const MAX_NAME_LENGTH = 80;

/** Each option; one that is missing here does not compile. */
const PLATFORM_OPTIONS: Readonly<Record<keyof PlatformOptions, true>> = {
  mode: true,
  host: true,
  port: true,
  dataDir: true,
  memory: true,
  adminToken: true,
  operatorKey: true,
  secretsEncryptionKey: true,
  publicUrl: true,
  orgId: true,
  allowAgentNetworks: true,
  wrapPeerResults: true,
  hierarchy: true,
  livenessStaleAfterMs: true,
  claimWindowMs: true,
  rateLimit: true,
  presenceRate: true,
  progressRate: true,
  corsOrigins: true,
  inboxLimit: true,
  inboxBytes: true,
  workspaceQuota: true,
  finishedBytes: true,
  minFreeSpace: true,
  eventLimit: true,
  synchronous: true,
  activityRetentionDays: true,
  messageTtlMs: true,
  questionTtlMs: true,
  contractCheck: true,
  stopTimeoutMs: true,
  leaseMs: true,
  answerHoldSeconds: true,
  maxHops: true,
  maxTurns: true,
  pairRate: true,
  maxAttempts: true,
  pushTimeoutMs: true,
  drainEveryMs: true,
  onQuery: true,
  logger: true,
  clock: true,
  resolve: true,
};

/** The own enumerable keys of `options` that are not options, also those without a value. */
export function unknownOptions(options: object, known: object = PLATFORM_OPTIONS): OptionProblem[] {
  const names = Object.keys(known);
  return Object.keys(options)
    .filter((option) => !Object.hasOwn(known, option))
    .map((option) => ({
      option: option.slice(0, MAX_NAME_LENGTH),
      variable: '',
      problem: `is not an option; ${suggestion(option, names)}`,
    }));
}

function suggestion(option: string, names: readonly string[]): string {
  const given = option.toLowerCase();
  const byLowerCase = new Map(names.map((name) => [name.toLowerCase(), name]));
  const maxDistance = given.length < 4 ? 1 : given.length < 10 ? 2 : 3;
  const closest = closestMatch(given, [...byLowerCase.keys()], { maxDistance });
  const similar =
    closest === undefined
      ? names.filter((name) => given.length > 2 && name.toLowerCase().includes(given))
      : [byLowerCase.get(closest) ?? closest];
  return similar.length === 0 || similar.length > 3
    ? `the options are ${[...names].sort().join(', ')}`
    : `did you mean ${similar.join(' or ')}?`;
}
