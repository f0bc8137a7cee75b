import { z } from '@molecule-ai/protocol';
import { closestMatch } from 'leven';
import { ConfigurationError, invalidArgument } from '../errors/molecule-error.ts';
import type { Environment } from './node-types.ts';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_NAME_LENGTH = 80;
/** A name that is part of more options than these names none of them. */
const MAX_SUGGESTIONS = 3;
const MIN_PART_LENGTH = 3;
const MISSING = 'is missing';
const FILE_HINT = 'If they are in a file, run node --env-file=<file>, and check that the file is not empty.';

/** The schema of one option: what parsing returns, and what a program may pass. */
export interface Option<Out, In = Out> extends z.ZodType<Out, In | undefined> {}

/**
 * What a program may pass: the options of a shape, each of which may be left out. A shape is a class whose fields are schemas, because
 * editors then show the comments of its fields; declarations do not keep those of an object literal.
 */
export type OptionsOf<Shape> = {
  [Name in keyof Shape]?: Shape[Name] extends z.ZodType<unknown, infer In> ? In | undefined : never;
};

/** What parsing the options of a shape returns. */
export type SettingsOf<Shape> = {
  readonly [Name in keyof Shape]: Shape[Name] extends z.ZodType<infer Out> ? Out : never;
};

/** The schema of a shape, for `parseOptions`, and for a group of options in another shape. */
export function optionsSchema<Shape extends object>(
  shape: Shape,
): Option<SettingsOf<Shape>, OptionsOf<Shape>> {
  return z.strictObject({ ...shape } as Record<string, z.ZodType>) as never;
}

/** What is wrong with options, and what to do about it. */
export interface OptionsProblem {
  readonly problem: string;
  readonly hint?: string | undefined;
}

/**
 * Checks options, adds those that environment variables set, and applies the defaults.
 * @param what the class or function whose options they are, for errors
 * @throws ConfigurationError that names every option that is wrong.
 */
export function parseOptions<Out, In>(
  what: string,
  schema: Option<Out, In>,
  options: unknown,
  env: Environment = {},
): Out {
  const parsed = readOptions(what, schema, options, env);
  if ('value' in parsed) return parsed.value;
  throw new ConfigurationError(parsed.problem, { hint: parsed.hint });
}

/** The schemas of the arguments of a method that are objects with known keys, by their places. */
export type ArgumentSchemas = Readonly<Record<number, Option<unknown>>>;

/**
 * From now on these methods refuse such arguments with names or values that the schemas do not know, before anything is done: those that return a
 * promise reject with a MoleculeError `invalid_argument`, those of `throwing` throw it.
 */
export function checkArguments(
  prototype: object,
  methods: Readonly<Record<string, ArgumentSchemas>>,
  throwing: readonly string[] = [],
): void {
  for (const [name, schemas] of Object.entries(methods)) {
    const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
    const value = function (this: unknown, ...args: unknown[]): unknown {
      const found = argumentProblem(name, schemas, args);
      if (found === null) return Reflect.apply(method, this, args);
      const error = invalidArgument(found.problem, found.hint);
      if (throwing.includes(name)) throw error;
      return Promise.reject(error);
    };
    Object.defineProperty(value, 'name', { value: name });
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

/** What is wrong with the arguments of a method; `null` when nothing is. */
export function argumentProblem(
  name: string,
  schemas: ArgumentSchemas,
  args: readonly unknown[],
): OptionsProblem | null {
  for (const [place, schema] of Object.entries(schemas)) {
    const value = args[Number(place)];
    if (value === undefined) continue;
    if (!isObject(value))
      return { problem: `The options of ${name} must be an object, got ${describe(value)}.` };
    if (typeof Reflect.get(value, 'throwIfAborted') === 'function') {
      return { problem: `The options of ${name} must be an object, got a signal.`, hint: 'Pass { signal }.' };
    }
    const read = readOptions(name, schema, value);
    if ('problem' in read) return read;
  }
  return null;
}

/** As `parseOptions`, for arguments of a call. @throws MoleculeError `invalid_argument` */
export function parseArgument<Out, In>(what: string, schema: Option<Out, In>, argument: unknown): Out {
  const read = readOptions(what, schema, argument);
  if ('value' in read) return read.value;
  throw invalidArgument(read.problem, read.hint);
}

/** As `parseOptions`, but returns what is wrong. */
export function readOptions<Out, In>(
  what: string,
  schema: Option<Out, In>,
  options: unknown,
  env: Environment = {},
): { readonly value: Out } | OptionsProblem {
  const given = complete(schema, options, env);
  const parsed = schema.safeParse(given);
  return parsed.success ? { value: parsed.data } : problemOf(what, schema, given, parsed.error.issues);
}

/** With each known option as a property of its own, its value that of the environment variable where the program gave none. */
function complete(schema: z.ZodType, given: unknown, env: Environment): unknown {
  if (!(schema instanceof z.ZodObject) || !isObject(given)) return given;
  const known = Object.entries<z.ZodType>(schema.shape).map(([name, each]) => {
    const value: unknown = Reflect.get(given, name);
    if (each instanceof z.ZodObject) return [name, complete(each, value === undefined ? {} : value, env)];
    const { variables = [], fromVariable = String, ignoresNull = false } = factsOf(each);
    if (value !== undefined && !(value === null && ignoresNull)) return [name, value];
    const set = variables.map((variable) => env[variable]?.trim()).find(Boolean);
    return [name, set === undefined ? undefined : fromVariable(set)];
  });
  return { ...given, ...Object.fromEntries(known) };
}

function problemOf(
  what: string,
  schema: z.ZodType,
  given: unknown,
  issues: readonly z.core.$ZodIssue[],
): OptionsProblem {
  // What has a wrong name would be missing as well.
  const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys');
  if (unknown.length > 0) {
    const names = unknown.flatMap(({ path, keys }) => keys.map((key) => nameOf([...path, key])));
    return unknownNames(
      what,
      names,
      namesOf(schema),
      namesOf(schema, unknown.length > 1 ? [] : unknown[0]?.path),
    );
  }
  const problems = issues.map(({ path, ...issue }) => {
    if (issue.code === 'custom')
      return { name: nameWithVariables(schema, path), end: issue.message, ...issue.params };
    const value = path.reduce((from: unknown, key) => Reflect.get(Object(from), key), given);
    const hint = `Pass an object, such as { ${namesOf(schema, path).slice(0, 2).join(', ')} }.`;
    return { name: nameOf(path) || 'The options', end: `must be an object, got ${describe(value)}`, hint };
  });
  const missing = problems.filter(({ end }) => end === MISSING).map(({ name }) => name);
  const all = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing.`;
  const sentences = problems.map(({ name, end }) => (end === MISSING ? all : `${name} ${end}.`));
  const hints = [...problems.map(({ hint }) => hint), missing.length > 1 ? FILE_HINT : undefined];
  const joined = (texts: readonly (string | undefined)[]) => [...new Set(texts)].filter(Boolean).join(' ');
  return { problem: joined(sentences), hint: joined(hints) || undefined };
}

/** The name of an option in messages, such as `platformUrl (or MOLECULE_PLATFORM_URL, PLATFORM_URL)`. */
function nameWithVariables(schema: z.ZodType, path: readonly PropertyKey[]): string {
  const found = at(schema, path);
  const { variables = [] } = found === undefined ? {} : factsOf(found);
  return variables.length === 0 ? nameOf(path) : `${nameOf(path)} (or ${variables.join(', ')})`;
}

/** The schema at a path of names. */
function at(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  return path.reduce<z.ZodType | undefined>((from, key) => shapeOf(from)?.[String(key)], schema);
}

function shapeOf(schema: z.ZodType | undefined): Readonly<Record<string, z.ZodType>> | undefined {
  if (schema === undefined) return undefined;
  if (schema instanceof z.ZodObject) return schema.shape;
  return shapeOf(factsOf(schema).group);
}

/** The names of the options of the object at a path; without a path those of all objects, such as `limits.maxRetries`. */
function namesOf(schema: z.ZodType, path?: readonly PropertyKey[]): readonly string[] {
  return Object.entries(shapeOf(at(schema, path ?? [])) ?? {}).flatMap(([name, each]) =>
    path !== undefined ? [name] : [name, ...namesOf(each).map((inner) => `${name}.${inner}`)],
  );
}

function nameOf(path: readonly PropertyKey[]): string {
  return path.map((key) => String(key).slice(0, MAX_NAME_LENGTH)).join('.');
}

/**
 * The problem of names that `what` does not have.
 * @param names those that it has, and those to suggest; `listed` when none is similar
 * @param word what a name is called
 */
export function unknownNames(
  what: string,
  unknown: readonly string[],
  names: readonly string[],
  listed: readonly string[] = names,
  word: 'option' | 'key' = 'option',
): OptionsProblem {
  const quoted = unknown.map((name) => JSON.stringify(name)).join(', ');
  const meant = [...new Set(unknown.flatMap((name) => similarTo(name, names)))];
  const list = [...listed].sort().join(', ');
  return {
    problem: `${what} has no ${word}${unknown.length === 1 ? '' : 's'} ${quoted}.`,
    hint: meant.length === 0 ? `Its ${word}s are ${list}.` : `Did you mean ${eitherOf(meant)}?`,
  };
}

/** As {@link unknownNames}, for those of the given names that are not known; `null` when all are. */
export function unknownKeys(
  what: string,
  given: readonly string[],
  known: readonly string[],
  word: 'option' | 'key' = 'option',
): OptionsProblem | null {
  const unknown = given.filter((name) => !known.includes(name)).map((name) => name.slice(0, MAX_NAME_LENGTH));
  return unknown.length === 0 ? null : unknownNames(what, unknown, known, known, word);
}

/** The names that may be meant, by their last part: a name may be right and in the wrong group. */
function similarTo(unknown: string, names: readonly string[]): readonly string[] {
  const lastOf = (name: string) => name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  const given = lastOf(unknown);
  const maxDistance = given.length < 4 ? 1 : given.length < 10 ? 2 : 3;
  const closest = closestMatch(given, names.map(lastOf), { maxDistance });
  if (closest !== undefined) return names.filter((name) => lastOf(name) === closest);
  if (given.length < MIN_PART_LENGTH) return [];
  const containing = names.filter((name) => lastOf(name).includes(given));
  if (containing.length > 0) return containing.length > MAX_SUGGESTIONS ? [] : containing;
  return names.filter((name) => lastOf(name).length > MIN_PART_LENGTH && given.endsWith(lastOf(name)));
}

/**
 * Refuses a value with the end of a sentence that begins with the name of the option: `must be a UUID`. With `key` the sentence is about
 * that property of the value.
 */
export type Refuse = (problem: string, hint?: string, key?: string) => never;

class Refusal extends Error {
  readonly hint: string | undefined;
  readonly path: string[];

  constructor(problem: string, hint: string | undefined, key: string | undefined) {
    super(problem);
    this.hint = hint;
    this.path = key === undefined ? [] : [key];
  }
}

/** What is known of an option besides how its values are read. */
interface OptionFacts {
  /** What a value is, in words. */
  readonly kind?: string;
  /** Environment variables in order of precedence. Blank ones count as unset. */
  readonly variables?: readonly string[];
  /** Makes a value of the text of a variable. @default the text */
  readonly fromVariable?: (text: string) => unknown;
  /** `null` counts as not given. @default false */
  readonly ignoresNull?: boolean;
  /** The value of an option that is not given. Without it `read` gets `undefined`. */
  readonly byDefault?: unknown;
  /** The schema of a value that is an object; `read` gets what parsing it returns. */
  readonly group?: z.ZodType;
}

/** The schema of an option: `read` checks a value and returns what parsing returns. */
export function option<Out, In = Out>(
  read: (value: unknown, refuse: Refuse) => Out,
  facts: OptionFacts = {},
): Option<Out, In> {
  const refuse: Refuse = (problem, hint, key) => {
    throw new Refusal(problem, hint, key);
  };
  const schema = z.custom<In | undefined>().transform((value, context): Out => {
    if (value === undefined && Object.hasOwn(facts, 'byDefault')) return facts.byDefault as Out;
    const { group: schemaOfGroup } = facts;
    const group = isObject(value) ? schemaOfGroup?.safeParse(complete(schemaOfGroup, value, {})) : undefined;
    if (group?.error !== undefined) {
      context.issues.push(...(group.error.issues as never[]));
      return z.NEVER;
    }
    try {
      return read(group === undefined ? value : group.data, refuse);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { message, path, hint } = error;
      context.addIssue({ code: 'custom', message, path, params: { hint } });
      return z.NEVER;
    }
  });
  return schema.meta({ facts }) as never;
}

/** What is known of an option, for error messages and the reference. */
export function factsOf(schema: z.ZodType): OptionFacts {
  return (schema.meta()?.facts as OptionFacts | undefined) ?? {};
}

export interface NumberBounds {
  readonly min: number;
  /** @default 2^31 - 1, the maximum delay of a timer in milliseconds */
  readonly max?: number;
  /** @default false */
  readonly isInteger?: boolean;
}

/** A number within bounds. */
export function number<Default>(
  bounds: NumberBounds & { readonly byDefault: Default },
): Option<number | Default, number> {
  return option((value, refuse) => checkNumber(value, bounds, refuse), {
    kind: kindOfNumber(bounds),
    byDefault: bounds.byDefault,
  });
}

/** A number for a `read` that also accepts something else. */
export function checkNumber(value: unknown, bounds: NumberBounds, refuse: Refuse): number {
  const { min, max = MAX_TIMEOUT_MS, isInteger = false } = bounds;
  const isInside = typeof value === 'number' && value >= min && value <= max;
  if (isInside && (!isInteger || Number.isInteger(value))) return value;
  const hint =
    typeof value === 'string' ? 'Pass a number: a text of the environment needs Number(…).' : undefined;
  return refuse(`must be ${kindOfNumber(bounds)}, got ${describe(value)}`, hint);
}

function kindOfNumber({ min, max = MAX_TIMEOUT_MS, isInteger = false }: NumberBounds): string {
  return `${isInteger ? 'an integer' : 'a number'} from ${min} to ${max}`;
}

/** A boolean. */
export function flag<Default>(byDefault: Default): Option<boolean | Default, boolean> {
  return option<boolean | Default, boolean>(checkBoolean, { kind: '`true` or `false`', byDefault });
}

/** A boolean for a `read` that also accepts something else. */
export function checkBoolean(value: unknown, refuse: Refuse): boolean {
  if (typeof value === 'boolean') return value;
  const hint = "Pass a boolean: a text of the environment needs a comparison, such as === 'true'.";
  return refuse(`must be true or false, got ${describe(value)}`, hint);
}

/** A text that is not blank. */
export function nonBlank(): Option<string | undefined, string> {
  return option<string | undefined, string>(
    (value, refuse) => {
      if (value === undefined || (typeof value === 'string' && value.trim() !== '')) return value;
      return refuse(
        `must be a text that is not blank, got ${describe(value)}`,
        'Pass a text, or leave it out.',
      );
    },
    { kind: 'a text' },
  );
}

/** One of several words. */
export function word<const Word extends string, const Default>(
  words: readonly Word[],
  byDefault: Default,
): Option<Word | Default, Word> {
  const list = eitherOf(words.map((each) => `"${each}"`));
  return option<Word | Default, Word>(
    (value, refuse) => {
      if (words.some((each) => each === value)) return value as Word;
      return refuse(`must be ${list}, got ${describe(value)}`, 'Pass one of these words, or leave it out.');
    },
    { kind: eitherOf(words.map((each) => `\`'${each}'\``)), byDefault },
  );
}

/** A text without white space at its ends; a blank one counts as not given, whatever the environment says. */
export function text<Out>(
  facts: { readonly kind?: string; readonly variables?: readonly string[]; readonly ignoresNull?: boolean },
  read: (text: string | undefined, refuse: Refuse) => Out,
): Option<Out, string> {
  return option<Out, string>((value, refuse) => read(checkText(value, refuse), refuse), {
    kind: 'a text',
    ...facts,
  });
}

/** The value may be a secret: an error names its type only. */
export function checkText(value: unknown, refuse: Refuse): string | undefined {
  if (typeof value === 'string') return value.trim() || undefined;
  if (value === undefined) return undefined;
  const type = value === null ? 'null' : `a value of type ${typeof value}`;
  return refuse(
    `must be a text, got ${type}`,
    'Leave it out to use the environment variable or the default.',
  );
}

/** An object or function with these methods. */
export function withMethods<T>(methods: readonly string[], hint: string): Option<T | undefined, T>;
export function withMethods<T>(methods: readonly string[], hint: string, byDefault: T): Option<T>;
export function withMethods<T>(
  methods: readonly string[],
  hint: string,
  byDefault?: T,
): Option<T | undefined, T> {
  return option<T | undefined, T>((value, refuse) => checkMethods<T>(value, methods, hint, refuse), {
    kind: `an object with ${methods.map((name) => `\`${name}()\``).join(', ')}`,
    byDefault,
  });
}

/** An object with methods for a `read` that also accepts something else. */
export function checkMethods<T>(value: unknown, methods: readonly string[], hint: string, refuse: Refuse): T {
  const missing = methods.filter((name) => typeof Reflect.get(Object(value), name) !== 'function');
  if (value !== undefined && value !== null && missing.length === 0) return value as T;
  const list = missing.map((name) => `${name}()`).join(', ');
  return refuse(`must be an object with ${list}, got ${describe(value)}`, hint);
}

/** A function. */
export function func<T>(hint?: string): Option<T | undefined, T> {
  return option<T | undefined, T>(
    (value, refuse) => {
      if (value === undefined || typeof value === 'function') return value as T | undefined;
      return refuse(`must be a function, got ${describe(value)}`, hint);
    },
    { kind: 'a function' },
  );
}

/** A value of this type, which whoever uses it checks. */
export function given<T>(): Option<T | undefined, T> {
  return option<T | undefined, T>((value) => value as T | undefined);
}

/** An `AbortSignal`, also one of another library. */
export function abortSignal(): Option<AbortSignal | undefined, AbortSignal> {
  return option<AbortSignal | undefined, AbortSignal>(
    (value, refuse) => {
      if (value === undefined) return undefined;
      if (typeof Reflect.get(Object(value), 'throwIfAborted') === 'function') return value as AbortSignal;
      return refuse(
        `must be an AbortSignal, got ${describe(value)}`,
        'Pass the signal of an AbortController.',
      );
    },
    { kind: 'an `AbortSignal`' },
  );
}

/** Whether a value maps names to values. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
