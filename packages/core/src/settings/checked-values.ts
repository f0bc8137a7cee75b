import { ConfigurationError } from '../errors/molecule-error.ts';
import { type EnvironmentOption, nameOption } from './environment.ts';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEADER_VALUE = /^[\x20-\x7e]+$/;

export function isWorkspaceId(text: string): boolean {
  return UUID.test(text);
}

/** Returns the id in lower case. Only UUIDs are accepted, because the id becomes part of paths. */
export function checkWorkspaceId(text: string | undefined): string {
  if (text === undefined)
    throw new ConfigurationError(`${nameOption('workspaceId')} is missing.`, {
      hint: 'Set it to the id that POST /workspaces returned.',
    });
  if (!isWorkspaceId(text)) {
    throw new ConfigurationError(`${nameOption('workspaceId')} must be a UUID, got ${show(text)}.`, {
      hint: isWorkspaceId(text.slice(1, -1))
        ? `Set it without the characters around it, ${text.at(0)} and ${text.at(-1)}.`
        : 'Set it to the id that POST /workspaces returned, not to the name of the workspace.',
    });
  }
  return text.toLowerCase();
}

export function checkPlatformUrl(text: string | undefined): URL {
  if (text === undefined)
    throw new ConfigurationError(`${nameOption('platformUrl')} is missing.`, {
      hint: 'For example http://localhost:8080.',
    });
  return checkHttpUrl(text, 'platformUrl');
}

/** Accepts http and https URLs without user info. */
export function checkHttpUrl(text: string, option: EnvironmentOption): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ConfigurationError(`${nameOption(option)} must be an http or https URL, got ${show(text)}.`, {
      hint: urlHint(text),
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(`${nameOption(option)} must not contain a user name or password.`, {
      hint: 'Pass the workspace token as authToken, never inside a URL.',
    });
  }
  return url;
}

function urlHint(text: string): string {
  if (/^["'`<]/.test(text)) return `Set it without the character ${text.at(0)} around it.`;
  if (/^wss?:/i.test(text))
    return `Write ${/^wss:/i.test(text) ? 'https' : 'http'}: instead of ${text.split(':', 1)[0]}:.`;
  return text.includes('://')
    ? 'Write it as in http://localhost:8080.'
    : 'Add the scheme, as in http://localhost:8080.';
}

/** Accepts printable ASCII only, so that a line break cannot add another header. */
export function checkHeaderValue(text: string | undefined, option: EnvironmentOption): string | undefined {
  if (text === undefined || HEADER_VALUE.test(text)) return text;
  throw new ConfigurationError(`${nameOption(option)} must be printable ASCII without line breaks.`, {
    hint: 'Remove line breaks and characters outside ASCII.',
  });
}

/**
 * Returns the credential. What people copy with it is refused, because the platform would only answer that it is wrong.
 * The error does not contain it.
 */
export function checkCredential(text: string | undefined, option: EnvironmentOption): string | undefined {
  const found = CREDENTIAL_MISTAKES.find(([pattern]) => text !== undefined && pattern.test(text));
  if (found === undefined) return text;
  const [, problem, hint] = found;
  throw new ConfigurationError(`${nameOption(option)} ${problem}.`, { hint });
}

const CREDENTIAL_MISTAKES: readonly (readonly [pattern: RegExp, problem: string, hint: string])[] = [
  [/^(["'`]).*\1$/s, 'has quotes around it', 'Set it without the quotes.'],
  [/^bearer\s/i, 'begins with the word Bearer', 'Set it to the token alone: the client adds the word.'],
  [/^[A-Z_]+TOKEN=/, 'begins with the name of a variable', 'Set it to what follows the sign =.'],
  [
    /[^\x21-\x7e]/,
    'contains white space, a line break or a character outside ASCII',
    'Copy it again: a token is one word.',
  ],
];

export interface NumberBounds {
  readonly min: number;
  /** @default 2^31 - 1, the maximum delay of a timer in milliseconds */
  readonly max?: number;
  /** @default false */
  readonly isInteger?: boolean;
}

/** Returns an error message that names the number, or `null` if it is within the bounds. */
export function numberProblem(name: string, value: unknown, bounds: NumberBounds): string | null {
  const { min, max = MAX_TIMEOUT_MS, isInteger = false } = bounds;
  const isInside = typeof value === 'number' && value >= min && value <= max;
  if (isInside && (!isInteger || Number.isInteger(value))) return null;
  return `${name} must be ${isInteger ? 'an integer' : 'a number'} from ${min} to ${max}, got ${describe(value)}.`;
}

/**
 * Returns the number if it is within the bounds.
 * @throws ConfigurationError naming the option.
 */
export function checkNumber(option: string, value: number, bounds: NumberBounds): number {
  const problem = numberProblem(option, value, bounds);
  if (problem === null) return value;
  const hint =
    typeof value === 'string' ? 'Pass a number: a text of the environment needs Number(…).' : undefined;
  throw new ConfigurationError(problem, { hint });
}

/** A number that has a default. */
export interface NumberOption extends NumberBounds {
  readonly byDefault: number;
}

/**
 * The numbers among options, those that are left out by their defaults.
 * @throws ConfigurationError naming the option.
 */
export function checkNumbers<Name extends string>(
  options: { readonly [Each in NoInfer<Name>]?: number | undefined },
  known: Readonly<Record<Name, NumberOption>>,
): Readonly<Record<Name, number>> {
  const checked = Object.entries<NumberOption>(known).map(([name, { byDefault, ...bounds }]) => {
    const { [name as Name]: given = byDefault } = options;
    return [name, checkNumber(name, given, bounds)];
  });
  return Object.fromEntries(checked);
}

/** @throws ConfigurationError naming the option. */
export function checkBoolean(option: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault;
  if (typeof value === 'boolean') return value;
  const hint = "Pass a boolean: a text of the environment needs a comparison, such as === 'true'.";
  throw wrong(option, 'true or false', value, hint);
}

/** @throws ConfigurationError naming the option and the words. */
export function checkWord<Word extends string>(
  option: string,
  value: Word | undefined,
  words: readonly Word[],
): Word | undefined {
  if (value === undefined || words.includes(value)) return value;
  const list = eitherOf(words.map((each) => `"${each}"`));
  throw wrong(option, list, value, `Pass one of these words, or leave ${option} out.`);
}

/** @throws ConfigurationError naming the option, for what is not an object that maps names to values. */
export function checkObject<T>(option: string, value: T, hint: string): T {
  if (isObject(value)) return value;
  throw wrong(option, 'an object', value, hint);
}

/** Whether a value maps names to values. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws ConfigurationError naming the option and the methods that are missing. */
export function checkMethods<T>(option: string, value: T, methods: readonly string[], hint: string): T {
  const missing = methods.filter((name) => typeof Reflect.get(Object(value), name) !== 'function');
  if (value !== undefined && value !== null && missing.length === 0) return value;
  throw wrong(option, `an object with ${missing.map((name) => `${name}()`).join(', ')}`, value, hint);
}

/**
 * The function, limited to numbers from 0 to 1, because a pause that is no number would end at once.
 * @throws ConfigurationError naming the option.
 */
export function checkRandom(value: (() => number) | undefined): () => number {
  if (value === undefined) return Math.random;
  if (typeof value === 'function') return () => Math.min(1, Math.max(0, value())) || 0;
  const hint = 'Pass a function that returns a number from 0 to 1, such as Math.random.';
  throw wrong('random', 'a function', value, hint);
}

function wrong(option: string, expected: string, value: unknown, hint: string): ConfigurationError {
  return new ConfigurationError(`${option} must be ${expected}, got ${describe(value)}.`, { hint });
}

/** The names as a list with "or" before the last. */
export function eitherOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** Without the contents of objects, which may be secret. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return show(value);
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** What looks like a credential in the wrong place is cut: user info, and long words of letters and digits. */
function show(text: string): string {
  const withoutUser = text.replace(/(:\/{0,2})\S*@/, '$1…@');
  const shown = withoutUser.replace(/[\w-]{20,}/g, (word) =>
    /\d/.test(word) && /[g-z_]/i.test(word) ? `${word.slice(0, 4)}…` : word,
  );
  return JSON.stringify(shown.slice(0, 80));
}
