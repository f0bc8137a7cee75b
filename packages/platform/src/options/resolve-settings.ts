import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { resolvePolicy } from '@molecule-ai/net-guard';
import { errorFacts } from '../foreign-error.ts';
import type { PlatformMode, PlatformOptions, PlatformSettings } from './platform-options.ts';
import { PlatformOptionsError } from './platform-options-error.ts';
import { type Environment, SettingReader } from './setting-reader.ts';

/** The operator key can be guessed over the network. */
const MIN_ADMIN_TOKEN_LENGTH = 16;
const DEFAULT_RATE = 600;
const MAX_RATE = 1_000_000;
const MEBIBYTE = 1_024 ** 2;
const MAX_SWEEP_MS = 15_000;
const SWEEPS_PER_WINDOW = 6;
const MIN_SWEEP_MS = 100;

/**
 * Resolves options and environment into settings, or throws one error that lists every problem.
 */
export function resolveSettings(options: PlatformOptions, environment: Environment): PlatformSettings {
  const read = new SettingReader(options, environment);
  const mode = readMode(read, options, environment);
  const livenessStaleAfterMs = read.duration('livenessStaleAfterMs', 100, 90_000);
  const sweepMs = Math.min(MAX_SWEEP_MS, livenessStaleAfterMs / SWEEPS_PER_WINDOW);
  const rateLimit = readRateLimit(read, options, mode);
  const settings: PlatformSettings = {
    mode,
    host: readHost(read, mode),
    port: read.integer('port', [0, 65_535], 8080),
    dataDir: readDataDir(read, options),
    operatorKey: readOperatorKey(read, mode),
    secretsEncryptionKey: readEncryptionKey(read, mode),
    publicUrl: readPublicUrl(read, mode),
    orgId: read.text('orgId'),
    allowAgentNetworks: readNetworks(read),
    wrapPeerResults: read.flag('wrapPeerResults', true),
    hierarchy: read.word('hierarchy', ['direct', 'ancestors'], 'direct'),
    livenessStaleAfterMs,
    livenessSweepEveryMs: Math.max(MIN_SWEEP_MS, sweepMs),
    claimWindowMs: read.duration('claimWindowMs', 0, 15 * 60_000),
    rateLimit,
    presenceRate: read.integer('presenceRate', [10, MAX_RATE], Math.max(DEFAULT_RATE, rateLimit ?? 0)),
    progressRate: read.integer('progressRate', [10, MAX_RATE], 3_000),
    pairRate: read.integer('pairRate', [0, MAX_RATE], 120),
    maxHops: read.integer('maxHops', [1, 100], 8),
    maxTurns: read.integer('maxTurns', [1, 1_000_000], 500),
    inboxLimit: read.integer('inboxLimit', [1, 10_000_000], 10_000),
    inboxBytes: read.bytes('inboxBytes', 256 * MEBIBYTE),
    workspaceQuota: read.bytes('workspaceQuota', 1_024 * MEBIBYTE),
    finishedBytes: read.bytes('finishedBytes', 1_024 * MEBIBYTE),
    minFreeSpace: read.bytes('minFreeSpace', 64 * MEBIBYTE),
    eventLimit: read.integer('eventLimit', [1_000, 1_000_000_000], 1_000_000),
    activityRetentionDays: read.integer('activityRetentionDays', [1, 36_500], 7),
    corsOrigins: readOrigins(read),
    synchronous: read.word('synchronous', ['full', 'normal'], 'full'),
    messageTtlMs: read.duration('messageTtlMs', 1_000, 7 * 24 * 3_600_000),
    questionTtlMs: read.duration('questionTtlMs', 1_000, 24 * 3_600_000),
    contractCheck: read.word('contractCheck', ['off', 'responses', 'all'], 'off'),
    stopTimeoutMs: read.duration('stopTimeoutMs', 0, 10_000),
    leaseMs: read.duration('leaseMs', 1, 60_000),
    answerHoldSeconds: read.integer('answerHoldSeconds', [0, 3_600], 25),
    maxAttempts: read.integer('maxAttempts', [1, 1_000], 5),
    pushTimeoutMs: read.duration('pushTimeoutMs', 1, 300_000),
    drainEveryMs: read.duration('drainEveryMs', 10, 15_000),
  };
  if (read.problems.length > 0) throw new PlatformOptionsError(read.problems, hintFor(read));
  return Object.freeze(settings);
}

function readRateLimit(
  read: SettingReader,
  { rateLimit }: PlatformOptions,
  mode: PlatformMode,
): number | null {
  const given = rateLimit ?? read.variable('rateLimit')?.toLowerCase();
  if (given === 'off') return null;
  return read.integer('rateLimit', [1, MAX_RATE], mode === 'dev' ? null : DEFAULT_RATE);
}

function readMode(read: SettingReader, options: PlatformOptions, environment: Environment): PlatformMode {
  if (options.mode !== undefined) {
    return read.word('mode', ['production', 'dev'], 'production');
  }
  const isDevelopment = ['development', 'dev'].includes((environment.MOLECULE_ENV ?? '').toLowerCase());
  return isDevelopment && read.text('adminToken') === null ? 'dev' : 'production';
}

function readHost(read: SettingReader, mode: PlatformMode): string {
  const host = (read.text('host') ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  if (mode === 'dev' && !isLoopbackHost(host)) {
    read.problem(
      'host',
      `dev mode listens on this machine only, so "${host}" cannot be used; other addresses need production mode (without --dev, with ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY)`,
    );
  }
  return host;
}

/** Of a name only `localhost`: what another one resolves to can change. */
function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|\[?::1\]?|127(?:\.\d{1,3}){3})$/i.test(host);
}

/**
 * The data folder of a command that needs no other setting.
 * @throws PlatformOptionsError
 */
export function resolveDataDir(dataDir: string | undefined, environment: Environment): string {
  const read = new SettingReader({ dataDir }, environment);
  const folder = readDataDir(read, { dataDir }) ?? '';
  if (read.problems.length > 0) throw new PlatformOptionsError(read.problems, hintFor(read));
  return folder;
}

function readDataDir(
  read: SettingReader,
  options: Pick<PlatformOptions, 'dataDir' | 'memory'>,
): string | null {
  if (options.memory === true) {
    if (options.dataDir !== undefined) read.problem('dataDir', 'cannot be given together with memory');
    return null;
  }
  // Such as `--data-dir "$UNSET"`, which means a folder and not the default.
  if (options.dataDir === '')
    read.problem('dataDir', 'must not be empty; leave it out for ~/.molecule/platform');
  return resolve(read.text('dataDir') ?? join(homedir(), '.molecule', 'platform'));
}

function readOperatorKey(read: SettingReader, mode: PlatformMode): string | null {
  const adminToken = read.text('adminToken');
  const operatorKey = read.text('operatorKey');
  if (adminToken !== null && adminToken.trim() !== adminToken) {
    read.problem('adminToken', 'must not begin or end with white space');
  }
  if (adminToken !== null && adminToken.length < MIN_ADMIN_TOKEN_LENGTH) {
    read.problem('adminToken', `must have at least ${MIN_ADMIN_TOKEN_LENGTH} characters`);
  }
  if (mode === 'production' && adminToken === null) read.problem('adminToken', 'is required in production');
  if (operatorKey === null || operatorKey === adminToken) return adminToken;
  if (adminToken !== null)
    read.problem('operatorKey', 'contradicts adminToken (ADMIN_TOKEN); give one of them');
  return operatorKey;
}

function readEncryptionKey(read: SettingReader, mode: PlatformMode): string | null {
  const key = read.text('secretsEncryptionKey');
  if (key === null) {
    if (mode === 'production') read.problem('secretsEncryptionKey', 'is required in production');
    return null;
  }
  const isBase64 = /^[A-Za-z0-9+/]{43}=$/.test(key);
  if (!isBase64 && Buffer.byteLength(key) !== 32) {
    read.problem('secretsEncryptionKey', 'must be the base64 of 32 bytes, or exactly 32 characters');
  }
  return key;
}

function readPublicUrl(read: SettingReader, mode: PlatformMode): string | null {
  const text = read.text('publicUrl');
  if (text === null) return null;
  const url = URL.parse(text);
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search === '';
  if (!isPlain || url.hash !== '') {
    read.problem(
      'publicUrl',
      `must be an http or https URL without credentials and query, such as https://molecule.example.com${notQuoted(text)}`,
    );
    return null;
  }
  if (mode === 'dev' && !isLoopbackHost(url.hostname)) {
    read.problem(
      'publicUrl',
      `dev mode is for this machine only, so "${url.origin}" cannot lead to it; a platform with a public URL needs production mode (without --dev, with ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY)`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** The value in quotes, unless it may have a password or a token in it. */
function notQuoted(text: string): string {
  return /[@?#]/.test(text) ? '' : `, not "${text}"`;
}

function readNetworks(read: SettingReader): readonly string[] {
  const networks = read.list('allowAgentNetworks');
  try {
    resolvePolicy({ allowedNetworks: networks });
  } catch (error) {
    read.problem('allowAgentNetworks', errorFacts(error).message);
  }
  return Object.freeze(networks);
}

function readOrigins(read: SettingReader): readonly string[] {
  const origins = read.list('corsOrigins');
  for (const origin of origins) {
    if (URL.parse(origin)?.origin !== origin) {
      read.problem('corsOrigins', `must be origins such as http://localhost:3000${notQuoted(origin)}`);
    }
  }
  return Object.freeze(origins);
}

function hintFor(read: SettingReader): string {
  const missing = read.problems.some(({ problem }) => problem === 'is required in production');
  return missing
    ? 'Set ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY (openssl rand -base64 32 makes one), or use dev mode (--dev, MOLECULE_ENV=dev) on your own machine.'
    : 'Correct the settings above and start again.';
}
