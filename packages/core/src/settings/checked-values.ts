import { ConfigurationError } from '../errors/molecule-error.ts';
import { describe, isObject, type NumberBounds } from './options.ts';

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

/** @throws ConfigurationError naming the option, for what is not an object that maps names to values. */
export function checkObject<T>(option: string, value: T, hint: string): T {
  if (isObject(value)) return value;
  throw new ConfigurationError(`${option} must be an object, got ${describe(value)}.`, { hint });
}
