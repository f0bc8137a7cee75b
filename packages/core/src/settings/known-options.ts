import { ConfigurationError, invalidArgument } from '../errors/molecule-error.ts';
import { describe, type OptionsProblem, unknownNames } from './options.ts';

const MAX_NAME_LENGTH = 80;

/** The names of the options of one interface: `keyof Options`, all of them and no other. */
export interface KnownOptions<Options> {
  readonly names: ReadonlySet<string>;
  /** For types only: it makes those of two interfaces differ. */
  readonly '~of'?: (name: keyof Options) => keyof Options;
}

/** From an object with these names. Does not compile when a name is missing or is not one of the interface. */
export function knownOptions<Options>(
  names: Readonly<Record<keyof Options & string, unknown>>,
): KnownOptions<Options> {
  return { names: new Set(Object.keys(names)) };
}

/**
 * Names the own enumerable keys of `options` that `what` does not have, also those without a value; `null` when there are none.
 * @param word what a key is called
 */
export function unknownOptions<Options>(
  what: string,
  options: object,
  known: KnownOptions<Options>,
  word: 'option' | 'key' = 'option',
): OptionsProblem | null {
  const { names } = known;
  const unknown = Object.keys(options).filter((name) => !names.has(name));
  if (unknown.length === 0) return null;
  const cut = unknown.map((name) => name.slice(0, MAX_NAME_LENGTH));
  return unknownNames(what, cut, [...names], [...names], word);
}

/** @throws ConfigurationError for an option that `what` does not have. */
export function checkOptionNames<Options>(what: string, options: object, known: KnownOptions<Options>): void {
  const found = unknownOptions(what, options, known);
  if (found !== null) throw new ConfigurationError(found.problem, { hint: found.hint });
}

/** The names of the options of a method, or of several. */
type NamesOf<Method> = Method extends (...args: infer Args) => unknown
  ? Required<Args> extends readonly [...unknown[], infer Last]
    ? 'signal' extends keyof NonNullable<Last>
      ? keyof NonNullable<Last> & string
      : never
    : never
  : never;

/** All of `Own`, and none that only other methods have. */
type OwnNames<Own extends string, All extends string> = Readonly<
  Record<Own, true> & { [Name in Exclude<All, Own>]?: never }
>;

/**
 * Of each method whose last argument is an object with `signal`: the place of this argument, and the names of its options. `throws`: the
 * method returns no promise.
 */
export type MethodOptions<Class> = {
  readonly [Name in keyof Class & string as [NamesOf<Class[Name]>] extends [never] ? never : Name]: readonly [
    place: number,
    names: OwnNames<NamesOf<Class[Name]>, NamesOf<Class[keyof Class]>>,
    ...end: Class[Name] extends (...args: never[]) => PromiseLike<unknown> ? [] : ['throws'],
  ];
};

type AnyMethod = (this: unknown, ...args: unknown[]) => unknown;
type AnyMethodOptions = readonly [place: number, names: Readonly<Record<string, true>>, end?: 'throws'];

/** @throws MoleculeError `invalid_argument` for a name that `what`, an argument of a method, does not have. */
export function checkArgumentNames<Options>(what: string, value: object, known: KnownOptions<Options>): void {
  const found = unknownOptions(what, value, known);
  if (found !== null) throw invalidArgument(found.problem, found.hint);
}

/** From now on these methods reject calls with options that they do not have: `invalid_argument`, before anything is sent. */
export function checkCallsOf<Class extends object>(prototype: Class, methods: MethodOptions<Class>): void {
  const checks = Object.entries(methods) as [string, AnyMethodOptions][];
  for (const [name, [place, names, end]] of checks) {
    const known = knownOptions<never>(names);
    const method = Reflect.get(prototype, name) as AnyMethod;
    const checked: AnyMethod = function (...args) {
      const found = args[place] === undefined ? null : callProblem(name, args[place], known);
      if (found === null) return Reflect.apply(method, this, args);
      const error = invalidArgument(found.problem, found.hint);
      if (end === 'throws') throw error;
      return Promise.reject(error);
    };
    Object.defineProperty(checked, 'name', { value: name });
    Object.defineProperty(prototype, name, { value: checked, writable: true, configurable: true });
  }
}

function callProblem(name: string, options: unknown, known: KnownOptions<never>): OptionsProblem | null {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return { problem: `The options of ${name} must be an object, got ${describe(options)}.` };
  }
  if (typeof Reflect.get(options, 'throwIfAborted') === 'function') {
    return { problem: `The options of ${name} must be an object, got a signal.`, hint: 'Pass { signal }.' };
  }
  return unknownOptions(name, options, known);
}
