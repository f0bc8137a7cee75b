import { closestMatch } from 'leven';
import type { PlatformOptions } from './platform-options.ts';
import type { OptionProblem } from './platform-options-error.ts';

/** Environment variables as the options read them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place of the package that reads the process environment. */
export function processEnvironment(): Environment {
  return process.env;
}

export type OptionName = keyof PlatformOptions;

/** Of each option the environment variable and the command-line option of the same setting, where there are such. */
const NAMES: Readonly<Record<OptionName, readonly [variable?: string, flag?: `--${string}`]>> = {
  mode: ['MOLECULE_ENV', '--dev'],
  host: ['HOST', '--host'],
  port: ['PORT', '--port'],
  dataDir: ['MOLECULE_DATA_DIR', '--data-dir'],
  memory: [],
  adminToken: ['ADMIN_TOKEN'],
  operatorKey: ['MOLECULE_OPERATOR_KEY'],
  secretsEncryptionKey: ['SECRETS_ENCRYPTION_KEY'],
  publicUrl: ['EXTERNAL_PLATFORM_URL', '--public-url'],
  orgId: ['MOLECULE_ORG_ID'],
  allowAgentNetworks: ['MOLECULE_ALLOW_AGENT_NETWORKS'],
  wrapPeerResults: ['MOLECULE_WRAP_PEER_RESULTS'],
  hierarchy: ['MOLECULE_HIERARCHY'],
  livenessStaleAfterMs: ['REMOTE_LIVENESS_STALE_AFTER'],
  claimWindowMs: ['MOLECULE_CLAIM_WINDOW'],
  rateLimit: ['RATE_LIMIT'],
  presenceRate: ['MOLECULE_PRESENCE_RATE'],
  progressRate: ['MOLECULE_PROGRESS_RATE'],
  corsOrigins: ['CORS_ORIGINS'],
  inboxLimit: ['MOLECULE_INBOX_LIMIT'],
  inboxBytes: ['MOLECULE_INBOX_BYTES'],
  workspaceQuota: ['MOLECULE_WORKSPACE_QUOTA'],
  finishedBytes: ['MOLECULE_FINISHED_BYTES'],
  minFreeSpace: ['MOLECULE_MIN_FREE_SPACE'],
  eventLimit: ['MOLECULE_EVENT_LIMIT'],
  synchronous: ['MOLECULE_SYNCHRONOUS', '--synchronous'],
  activityRetentionDays: ['ACTIVITY_RETENTION_DAYS'],
  messageTtlMs: ['MOLECULE_MESSAGE_TTL'],
  questionTtlMs: ['MOLECULE_QUESTION_TTL'],
  contractCheck: ['MOLECULE_CONTRACT_CHECK'],
  stopTimeoutMs: ['MOLECULE_STOP_TIMEOUT'],
  leaseMs: ['MOLECULE_PUSH_LEASE'],
  answerHoldSeconds: ['MOLECULE_ANSWER_HOLD_SECONDS'],
  maxHops: ['MOLECULE_MAX_HOPS'],
  maxTurns: ['MOLECULE_MAX_TURNS'],
  pairRate: ['MOLECULE_PAIR_RATE'],
  maxAttempts: ['MOLECULE_MAX_ATTEMPTS'],
  pushTimeoutMs: ['A2A_IDLE_TIMEOUT_SECONDS'],
  drainEveryMs: ['MOLECULE_DRAIN_EVERY'],
  onQuery: [],
  logger: [],
  clock: [],
  resolve: [],
};

/** The names of the options whose values have this type. */
type OptionOf<Value> = {
  [Name in OptionName]-?: NonNullable<PlatformOptions[Name]> extends Value ? Name : never;
}[OptionName];

/** Reads settings one by one from an option or its variable and collects the invalid ones, and options that are none. */
export class SettingReader {
  readonly problems: OptionProblem[];
  readonly #options: PlatformOptions;
  readonly #environment: Environment;

  constructor(options: PlatformOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.problems = unknownOptions(options);
  }

  /** The option, else the variable, else null; an empty text means missing. */
  text(name: OptionOf<string>): string | null {
    return this.#textOf(this.#options[name] ?? this.variable(name));
  }

  /** One of `values`, else `fallback`. */
  word<const V extends string>(name: OptionOf<V>, values: readonly V[], fallback: V): V {
    const text = this.#textOf(this.#given(name));
    if (text === null) return fallback;
    const found = values.find((value) => value === text);
    return found ?? this.#reject(name, `must be one of ${values.join(', ')}, not "${text}"`, fallback);
  }

  /** `true` or `false`; the variable also takes 1, 0, yes, no, on and off. */
  flag(name: OptionOf<boolean>, fallback: boolean): boolean {
    const option = this.#options[name];
    if (option !== undefined) return option;
    const text = this.#textOf(this.variable(name))?.toLowerCase() ?? null;
    if (text === null) return fallback;
    if (['true', '1', 'yes', 'on'].includes(text)) return true;
    if (['false', '0', 'no', 'off'].includes(text)) return false;
    return this.#reject(name, `must be true or false, not "${text}"`, fallback);
  }

  /** A whole number between `low` and `high`. */
  integer<F extends number | null>(
    name: OptionOf<number | 'off'>,
    [low, high]: readonly [number, number],
    fallback: F,
  ): number | F {
    const text = this.#textOf(this.#given(name));
    if (text === null) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    return this.#reject(name, `must be a whole number from ${low} to ${high}, not "${text}"`, fallback);
  }

  /** Milliseconds as an option; `90s`, `1m30s` or seconds as a variable. */
  duration(name: OptionOf<number>, lowestMs: number, fallback: number): number {
    const optionMs = this.#options[name];
    const text = this.#textOf(this.variable(name));
    if (optionMs === undefined && text === null) return fallback;
    const value = optionMs ?? parseDurationMs(text ?? '');
    if (value !== undefined && Number.isFinite(value) && value >= lowestMs) return value;
    const given = optionMs === undefined ? `"${text}"` : `${optionMs} ms`;
    return this.#reject(name, `must be a time such as 90s, at least ${lowestMs} ms, not ${given}`, fallback);
  }

  /** Bytes as an option; `256MiB`, `1GiB` or bytes as a variable. */
  bytes(name: OptionOf<number>, fallback: number): number {
    const text = this.#textOf(this.#given(name));
    if (text === null) return fallback;
    const [, amount, unit = 'B'] = /^(\d{1,15})\s*([KMG]iB|B)?$/.exec(text.trim()) ?? [];
    const value = Number(amount) * (UNIT_BYTES[unit] ?? 1);
    if (Number.isSafeInteger(value) && value > 0) return value;
    return this.#reject(name, `must be a size such as 256MiB, not "${text}"`, fallback);
  }

  /** A list; the variable separates with commas. */
  list(name: OptionOf<readonly string[]>): readonly string[] {
    const option = this.#options[name];
    if (option !== undefined) return [...option];
    const entries = (this.variable(name) ?? '').split(',').map((entry) => entry.trim());
    return entries.filter((entry) => entry !== '');
  }

  /** Records a problem that the other methods do not detect. */
  problem(option: OptionName, problem: string): void {
    const [variable = '', flag] = NAMES[option];
    this.problems.push({ option, variable, ...(flag === undefined ? {} : { flag }), problem });
  }

  /** The environment variable of an option. */
  variable(name: OptionName): string | undefined {
    return this.#environment[NAMES[name][0] ?? ''];
  }

  #given(name: OptionName): string | undefined {
    const option = this.#options[name];
    return option === undefined ? this.variable(name) : String(option);
  }

  #textOf(value: string | undefined): string | null {
    return value === undefined || value === '' ? null : value;
  }

  #reject<V>(name: OptionName, problem: string, fallback: V): V {
    this.problem(name, problem);
    return fallback;
  }
}

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 };
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const STEP = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

/** Milliseconds of a Go duration such as `90s` or `1m30s`, or of a bare number of seconds; undefined when it is neither. */
function parseDurationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1_000;
  if (!DURATION.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(STEP)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total;
}

const MAX_NAME_LENGTH = 80;

/** The own enumerable keys of `options` that are not options, also those without a value. */
function unknownOptions(options: object): OptionProblem[] {
  const unknown = Object.keys(options).filter((option) => !Object.hasOwn(NAMES, option));
  return unknown.map((option) => ({
    option: option.slice(0, MAX_NAME_LENGTH),
    variable: '',
    problem: `is not an option; ${suggestion(option)}`,
  }));
}

function suggestion(option: string): string {
  const names = Object.keys(NAMES);
  const given = option.toLowerCase();
  const byLowerCase = new Map(names.map((name) => [name.toLowerCase(), name]));
  const maxDistance = given.length < 4 ? 1 : given.length < 10 ? 2 : 3;
  const closest = closestMatch(given, [...byLowerCase.keys()], { maxDistance });
  return closest === undefined
    ? `the options are ${names.sort().join(', ')}`
    : `did you mean ${byLowerCase.get(closest)}?`;
}
