import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Environment, OptionReader } from './option-reader.ts';
import { IN_MEMORY, platformOptionsSchema } from './options-schema.ts';
import type { PlatformOptions } from './platform-options.ts';
import { type OptionProblem, PlatformOptionsError } from './platform-options-error.ts';

const DEFAULT_RATE = 600;
const REQUIRED = 'is required in production';
const NEEDS_PRODUCTION = 'production mode (without --dev, with ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY)';

/** Every setting, resolved and validated. Frozen. */
export type PlatformSettings = ReturnType<typeof resolveSettings>;

/** Resolves options and environment into settings, or throws one error that lists every problem. */
export function resolveSettings(options: PlatformOptions, environment: Environment) {
  const mode = options.mode ?? modeOf(options, environment);
  const read = new OptionReader(platformOptionsSchema, { ...options, mode }, environment);
  if (mode === 'dev') rejectOtherMachines(read);
  else rejectMissing(read);
  const { parsed, problems } = read;
  if (parsed === undefined || problems.length > 0) throw refusal(problems);
  const { server, data, limits, security, ...others } = parsed;
  const { rateLimit = mode === 'dev' ? 'off' : DEFAULT_RATE } = limits;
  const { presenceRate = Math.max(DEFAULT_RATE, rateLimit === 'off' ? 0 : rateLimit) } = limits;
  return Object.freeze({
    ...others,
    server: Object.freeze(server),
    data: Object.freeze({ ...data, directory: pathOf(data.directory) }),
    limits: Object.freeze({ ...limits, rateLimit, presenceRate }),
    security: Object.freeze(security),
  });
}

/**
 * The data folder of a command that needs no other setting.
 * @throws PlatformOptionsError
 */
export function resolveDataDirectory(environment: Environment): string {
  const read = new OptionReader(platformOptionsSchema, {}, environment);
  const directory = read.given('data.directory') as string | undefined;
  if (directory !== IN_MEMORY) return pathOf(directory);
  read.reject('data.directory', 'must be a folder, because a platform in memory has no files');
  throw refusal(read.problems.filter(({ option }) => option === 'data.directory'));
}

function pathOf(directory = join(homedir(), '.molecule', 'platform')): string {
  return directory === IN_MEMORY ? IN_MEMORY : resolve(directory);
}

function modeOf({ security }: PlatformOptions, environment: Environment): 'dev' | 'production' {
  const isDevelopment = ['development', 'dev'].includes((environment.MOLECULE_ENV ?? '').toLowerCase());
  const hasKey = (security?.operatorKey ?? environment.ADMIN_TOKEN ?? '') !== '';
  return isDevelopment && !hasKey ? 'dev' : 'production';
}

type Reader = OptionReader<typeof platformOptionsSchema>;

/** Dev mode is for this machine only. */
function rejectOtherMachines(read: Reader): void {
  const host = read.given('server.host');
  if (typeof host === 'string' && !isLoopbackHost(host)) {
    const problem = `dev mode listens on this machine only, so "${host}" cannot be used; other addresses need`;
    read.reject('server.host', `${problem} ${NEEDS_PRODUCTION}`);
  }
  const url = URL.parse(String(read.given('server.publicUrl')));
  if (url !== null && !isLoopbackHost(url.hostname)) {
    const problem = `dev mode is for this machine only, so "${url.origin}" cannot lead to it; a platform with a public URL needs`;
    read.reject('server.publicUrl', `${problem} ${NEEDS_PRODUCTION}`);
  }
}

function rejectMissing(read: Reader): void {
  for (const option of ['security.operatorKey', 'security.secretsEncryptionKey']) {
    if (read.given(option) === undefined) read.reject(option, REQUIRED);
  }
}

/** Of a name only `localhost`: what another one resolves to can change. */
function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|\[?::1\]?|127(?:\.\d{1,3}){3})$/i.test(host);
}

function refusal(problems: readonly OptionProblem[]): PlatformOptionsError {
  const isMissing = problems.some(({ problem }) => problem === REQUIRED);
  return new PlatformOptionsError(
    problems,
    isMissing
      ? 'Set ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY (openssl rand -base64 32 makes one), or use dev mode (--dev, MOLECULE_ENV=dev) on your own machine.'
      : 'Correct the settings above and start again.',
  );
}
