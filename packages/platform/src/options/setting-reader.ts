import type { OptionProblem } from './platform-options-error.ts';

/** Environment variables as the options read them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place of the package that reads the process environment. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Names of one setting: in `PlatformOptions`, in the environment, and on the command line if it has an option there. */
export interface SettingName {
  readonly option: string;
  readonly variable: string;
  readonly flag?: string;
}

/** The names of the setting `option`, which is a key of `Options`. */
export function settingName<Options>(
  option: keyof Options & string,
  variable: string,
  flag?: `--${string}`,
): SettingName {
  return flag === undefined ? { option, variable } : { option, variable, flag };
}

/** Reads settings one by one from an option or its variable and collects the invalid ones. */
export class SettingReader {
  readonly problems: OptionProblem[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The option, else the variable, else null; an empty text means missing. */
  text(name: SettingName, option: string | undefined): string | null {
    const value = option ?? this.#environment[name.variable];
    return value === undefined || value === '' ? null : value;
  }

  /** One of `values`, else `fallback`. */
  word<V extends string>(name: SettingName, option: V | undefined, values: readonly V[], fallback: V): V {
    const text = this.text(name, option);
    if (text === null) return fallback;
    const found = values.find((value) => value === text);
    return found ?? this.#reject(name, `must be one of ${values.join(', ')}, not "${text}"`, fallback);
  }

  /** `true` or `false`; the variable also takes 1, 0, yes, no, on and off. */
  flag(name: SettingName, option: boolean | undefined, fallback: boolean): boolean {
    if (option !== undefined) return option;
    const text = this.text(name, undefined)?.toLowerCase() ?? null;
    if (text === null) return fallback;
    if (['true', '1', 'yes', 'on'].includes(text)) return true;
    if (['false', '0', 'no', 'off'].includes(text)) return false;
    return this.#reject(name, `must be true or false, not "${text}"`, fallback);
  }

  /** A whole number between `low` and `high`. */
  integer<F extends number | null>(
    name: SettingName,
    option: number | undefined,
    [low, high]: readonly [number, number],
    fallback: F,
  ): number | F {
    const text = option === undefined ? this.text(name, undefined) : String(option);
    if (text === null) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    return this.#reject(name, `must be a whole number from ${low} to ${high}, not "${text}"`, fallback);
  }

  /** Milliseconds as an option; `90s`, `1m30s` or seconds as a variable. */
  duration(name: SettingName, optionMs: number | undefined, lowestMs: number, fallback: number): number {
    const text = optionMs === undefined ? this.text(name, undefined) : null;
    if (optionMs === undefined && text === null) return fallback;
    const value = optionMs ?? parseDurationMs(text ?? '');
    if (value !== undefined && Number.isFinite(value) && value >= lowestMs) return value;
    const given = optionMs === undefined ? `"${text}"` : `${optionMs} ms`;
    return this.#reject(name, `must be a time such as 90s, at least ${lowestMs} ms, not ${given}`, fallback);
  }

  /** Bytes as an option; `256MiB`, `1GiB` or bytes as a variable. */
  bytes(name: SettingName, option: number | undefined, fallback: number): number {
    const text = option === undefined ? this.text(name, undefined) : String(option);
    if (text === null) return fallback;
    const [, amount, unit = 'B'] = /^(\d{1,15})\s*([KMG]iB|B)?$/.exec(text.trim()) ?? [];
    const value = Number(amount) * (UNIT_BYTES[unit] ?? 1);
    if (Number.isSafeInteger(value) && value > 0) return value;
    return this.#reject(name, `must be a size such as 256MiB, not "${text}"`, fallback);
  }

  /** A list; the variable separates with commas. */
  list(name: SettingName, option: readonly string[] | undefined): readonly string[] {
    if (option !== undefined) return [...option];
    const entries = (this.text(name, undefined) ?? '').split(',').map((entry) => entry.trim());
    return entries.filter((entry) => entry !== '');
  }

  /** Records a problem that the other methods do not detect. */
  problem(name: SettingName, problem: string): void {
    this.problems.push({ ...name, problem });
  }

  #reject<V>(name: SettingName, problem: string, fallback: V): V {
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
