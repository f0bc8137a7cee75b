import { MoleculeError } from '../errors/molecule-error.ts';
import { describe } from './checked-values.ts';
import { type KnownOptions, type OptionsProblem, unknownOptions } from './known-options.ts';

type OptionsOf<Method> = Method extends (...args: infer Args) => unknown
  ? Required<Args> extends readonly [...unknown[], infer Last]
    ? NonNullable<Last>
    : never
  : never;

type Takes<Method> = [OptionsOf<Method>] extends [never]
  ? false
  : 'signal' extends keyof OptionsOf<Method>
    ? true
    : false;

/**
 * Of each method whose last argument is an object with `signal`: the place of this argument, and its options. `throws`: the method
 * returns no promise.
 */
export type MethodOptions<Class> = {
  readonly [Name in keyof Class & string as Takes<Class[Name]> extends true
    ? Name
    : never]: Class[Name] extends (...args: never[]) => PromiseLike<unknown>
    ? readonly [place: number, known: KnownOptions<OptionsOf<Class[Name]>>]
    : readonly [place: number, known: KnownOptions<OptionsOf<Class[Name]>>, end: 'throws'];
};

type AnyMethod = (this: unknown, ...args: unknown[]) => unknown;
type AnyMethodOptions = readonly [place: number, known: KnownOptions<never>, end?: 'throws'];

/** @throws MoleculeError `invalid_argument` for a name that `what`, an argument of a method, does not have. */
export function checkArgumentNames<Options>(what: string, value: object, known: KnownOptions<Options>): void {
  const found = unknownOptions(what, value, known);
  if (found !== null) throw invalidOptions(found);
}

/** From now on these methods reject calls with options that they do not have: `invalid_argument`, before anything is sent. */
export function checkCallsOf<Class extends object>(prototype: Class, methods: MethodOptions<Class>): void {
  for (const [name, [place, known, end]] of Object.entries<AnyMethodOptions>(methods)) {
    const method = Reflect.get(prototype, name) as AnyMethod;
    const checked: AnyMethod = function (...args) {
      const found = args[place] === undefined ? null : callProblem(name, args[place], known);
      if (found === null) return Reflect.apply(method, this, args);
      const error = invalidOptions(found);
      if (end === 'throws') throw error;
      return Promise.reject(error);
    };
    Object.defineProperty(checked, 'name', { value: name });
    Object.defineProperty(prototype, name, { value: checked, writable: true, configurable: true });
  }
}

export function invalidOptions({ problem, hint }: OptionsProblem): MoleculeError {
  return new MoleculeError(problem, { code: 'invalid_argument', hint });
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
