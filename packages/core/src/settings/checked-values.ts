import { ConfigurationError } from '../errors/molecule-error.ts';
import { describe, eitherOf, isObject, type NumberBounds } from './options.ts';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

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
