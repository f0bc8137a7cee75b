import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { resolvePolicy } from '@molecule-ai/net-guard';
import { errorFacts } from '../foreign-error.ts';
import { unknownOptions } from './known-options.ts';
import { readLimits } from './limit-settings.ts';
import type { PlatformOptions } from './platform-options.ts';
import { PlatformOptionsError } from './platform-options-error.ts';
import type { PlatformMode, PlatformSettings } from './platform-settings.ts';
import { type Environment, SettingReader, settingName } from './setting-reader.ts';

const name = settingName<PlatformOptions>;

/** The operator key can be guessed over the network. */
const MIN_ADMIN_TOKEN_LENGTH = 16;
const ADMIN_TOKEN = name('adminToken', 'ADMIN_TOKEN');
const OPERATOR_KEY = name('operatorKey', 'MOLECULE_OPERATOR_KEY');
const ENCRYPTION_KEY = name('secretsEncryptionKey', 'SECRETS_ENCRYPTION_KEY');
const HOST = name('host', 'HOST', '--host');
const MODE = name('mode', 'MOLECULE_ENV', '--dev');
const DATA_DIR = name('dataDir', 'MOLECULE_DATA_DIR', '--data-dir');
const NETWORKS = name('allowAgentNetworks', 'MOLECULE_ALLOW_AGENT_NETWORKS');
const PUBLIC_URL = name('publicUrl', 'EXTERNAL_PLATFORM_URL', '--public-url');
const CORS = name('corsOrigins', 'CORS_ORIGINS');

const MAX_SWEEP_MS = 15_000;
const SWEEPS_PER_WINDOW = 6;
const MIN_SWEEP_MS = 100;

/**
 * Resolves options and environment into settings, or throws one error that lists every problem.
 */
export function resolveSettings(options: PlatformOptions, environment: Environment): PlatformSettings {
  const read = new SettingReader(environment);
  read.problems.push(...unknownOptions(options));
  const mode = readMode(read, options, environment);
  const livenessStaleAfterMs = read.duration(
    name('livenessStaleAfterMs', 'REMOTE_LIVENESS_STALE_AFTER'),
    options.livenessStaleAfterMs,
    100,
    90_000,
  );
  const sweepMs = Math.min(MAX_SWEEP_MS, livenessStaleAfterMs / SWEEPS_PER_WINDOW);
  const settings: PlatformSettings = {
    mode,
    host: readHost(read, options, mode),
    port: read.integer(name('port', 'PORT', '--port'), options.port, [0, 65_535], 8080),
    dataDir: readDataDir(read, options),
    operatorKey: readOperatorKey(read, options, mode),
    secretsEncryptionKey: readEncryptionKey(read, options, mode),
    publicUrl: readPublicUrl(read, options, mode),
    orgId: read.text(name('orgId', 'MOLECULE_ORG_ID'), options.orgId),
    allowAgentNetworks: readNetworks(read, options),
    wrapPeerResults: read.flag(
      name('wrapPeerResults', 'MOLECULE_WRAP_PEER_RESULTS'),
      options.wrapPeerResults,
      true,
    ),
    hierarchy: read.word(
      name('hierarchy', 'MOLECULE_HIERARCHY'),
      options.hierarchy,
      ['direct', 'ancestors'],
      'direct',
    ),
    livenessStaleAfterMs,
    livenessSweepEveryMs: Math.max(MIN_SWEEP_MS, sweepMs),
    claimWindowMs: read.duration(
      name('claimWindowMs', 'MOLECULE_CLAIM_WINDOW'),
      options.claimWindowMs,
      0,
      15 * 60_000,
    ),
    ...readLimits(read, options, mode),
    corsOrigins: readOrigins(read, options),
    synchronous: read.word(
      name('synchronous', 'MOLECULE_SYNCHRONOUS', '--synchronous'),
      options.synchronous,
      ['full', 'normal'],
      'full',
    ),
    messageTtlMs: read.duration(
      name('messageTtlMs', 'MOLECULE_MESSAGE_TTL'),
      options.messageTtlMs,
      1_000,
      7 * 24 * 3_600_000,
    ),
    questionTtlMs: read.duration(
      name('questionTtlMs', 'MOLECULE_QUESTION_TTL'),
      options.questionTtlMs,
      1_000,
      24 * 3_600_000,
    ),
    contractCheck: read.word(
      name('contractCheck', 'MOLECULE_CONTRACT_CHECK'),
      options.contractCheck,
      ['off', 'responses', 'all'],
      'off',
    ),
    stopTimeoutMs: read.duration(
      name('stopTimeoutMs', 'MOLECULE_STOP_TIMEOUT'),
      options.stopTimeoutMs,
      0,
      10_000,
    ),
    leaseMs: read.duration(name('leaseMs', 'MOLECULE_PUSH_LEASE'), options.leaseMs, 1, 60_000),
    answerHoldSeconds: read.integer(
      name('answerHoldSeconds', 'MOLECULE_ANSWER_HOLD_SECONDS'),
      options.answerHoldSeconds,
      [0, 3_600],
      25,
    ),
    maxAttempts: read.integer(
      name('maxAttempts', 'MOLECULE_MAX_ATTEMPTS'),
      options.maxAttempts,
      [1, 1_000],
      5,
    ),
    pushTimeoutMs: read.duration(
      name('pushTimeoutMs', 'A2A_IDLE_TIMEOUT_SECONDS'),
      options.pushTimeoutMs,
      1,
      300_000,
    ),
    drainEveryMs: read.duration(
      name('drainEveryMs', 'MOLECULE_DRAIN_EVERY'),
      options.drainEveryMs,
      10,
      15_000,
    ),
  };
  if (read.problems.length > 0) throw new PlatformOptionsError(read.problems, hintFor(read));
  return Object.freeze(settings);
}

function readMode(read: SettingReader, options: PlatformOptions, environment: Environment): PlatformMode {
  if (options.mode !== undefined) {
    return read.word(MODE, options.mode, ['production', 'dev'], 'production');
  }
  const isDevelopment = ['development', 'dev'].includes((environment.MOLECULE_ENV ?? '').toLowerCase());
  return isDevelopment && read.text(ADMIN_TOKEN, options.adminToken) === null ? 'dev' : 'production';
}

function readHost(read: SettingReader, options: PlatformOptions, mode: PlatformMode): string {
  const host = (read.text(HOST, options.host) ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  if (mode === 'dev' && !isLoopbackHost(host)) {
    read.problem(
      HOST,
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
  const read = new SettingReader(environment);
  const folder = readDataDir(read, { dataDir }) ?? '';
  if (read.problems.length > 0) throw new PlatformOptionsError(read.problems, hintFor(read));
  return folder;
}

function readDataDir(
  read: SettingReader,
  options: Pick<PlatformOptions, 'dataDir' | 'memory'>,
): string | null {
  if (options.memory === true) {
    if (options.dataDir !== undefined) read.problem(DATA_DIR, 'cannot be given together with memory');
    return null;
  }
  // Such as `--data-dir "$UNSET"`, which means a folder and not the default.
  if (options.dataDir === '')
    read.problem(DATA_DIR, 'must not be empty; leave it out for ~/.molecule/platform');
  return resolve(read.text(DATA_DIR, options.dataDir) ?? join(homedir(), '.molecule', 'platform'));
}

function readOperatorKey(read: SettingReader, options: PlatformOptions, mode: PlatformMode): string | null {
  const adminToken = read.text(ADMIN_TOKEN, options.adminToken);
  const operatorKey = read.text(OPERATOR_KEY, options.operatorKey);
  if (adminToken !== null && adminToken.trim() !== adminToken) {
    read.problem(ADMIN_TOKEN, 'must not begin or end with white space');
  }
  if (adminToken !== null && adminToken.length < MIN_ADMIN_TOKEN_LENGTH) {
    read.problem(ADMIN_TOKEN, `must have at least ${MIN_ADMIN_TOKEN_LENGTH} characters`);
  }
  if (mode === 'production' && adminToken === null) read.problem(ADMIN_TOKEN, 'is required in production');
  if (operatorKey === null || operatorKey === adminToken) return adminToken;
  if (adminToken !== null)
    read.problem(OPERATOR_KEY, 'contradicts adminToken (ADMIN_TOKEN); give one of them');
  return operatorKey;
}

function readEncryptionKey(read: SettingReader, options: PlatformOptions, mode: PlatformMode): string | null {
  const key = read.text(ENCRYPTION_KEY, options.secretsEncryptionKey);
  if (key === null) {
    if (mode === 'production') read.problem(ENCRYPTION_KEY, 'is required in production');
    return null;
  }
  const isBase64 = /^[A-Za-z0-9+/]{43}=$/.test(key);
  if (!isBase64 && Buffer.byteLength(key) !== 32) {
    read.problem(ENCRYPTION_KEY, 'must be the base64 of 32 bytes, or exactly 32 characters');
  }
  return key;
}

function readPublicUrl(read: SettingReader, options: PlatformOptions, mode: PlatformMode): string | null {
  const text = read.text(PUBLIC_URL, options.publicUrl);
  if (text === null) return null;
  const url = URL.parse(text);
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search === '';
  if (!isPlain || url.hash !== '') {
    read.problem(
      PUBLIC_URL,
      `must be an http or https URL without credentials and query, such as https://molecule.example.com${notQuoted(text)}`,
    );
    return null;
  }
  if (mode === 'dev' && !isLoopbackHost(url.hostname)) {
    read.problem(
      PUBLIC_URL,
      `dev mode is for this machine only, so "${url.origin}" cannot lead to it; a platform with a public URL needs production mode (without --dev, with ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY)`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** The value in quotes, unless it may have a password or a token in it. */
function notQuoted(text: string): string {
  return /[@?#]/.test(text) ? '' : `, not "${text}"`;
}

function readNetworks(read: SettingReader, options: PlatformOptions): readonly string[] {
  const networks = read.list(NETWORKS, options.allowAgentNetworks);
  try {
    resolvePolicy({ allowedNetworks: networks });
  } catch (error) {
    read.problem(NETWORKS, errorFacts(error).message);
  }
  return Object.freeze(networks);
}

function readOrigins(read: SettingReader, options: PlatformOptions): readonly string[] {
  const origins = read.list(CORS, options.corsOrigins);
  for (const origin of origins) {
    if (URL.parse(origin)?.origin !== origin) {
      read.problem(CORS, `must be origins such as http://localhost:3000${notQuoted(origin)}`);
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
