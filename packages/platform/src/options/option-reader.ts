import type { z } from '@molecule-ai/protocol';
import { closestMatch } from 'leven';
import type { OptionProblem } from './platform-options-error.ts';

/** Environment variables as the options read them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place of the package that reads the process environment. */
export function processEnvironment(): Environment {
  return process.env;
}

/** The metadata of an option in its schema. */
export interface OptionFacts {
  readonly description?: string | undefined;
  /** The environment variables of the option. */
  readonly env?: readonly string[];
  /** Its command-line option, such as `--host <address>`. */
  readonly flag?: string;
  /** The default, in words where the schema has none. */
  readonly default?: unknown;
  /** Reads a variable or flag. */
  readonly fromText?: (text: string) => unknown;
}

/** The options of a schema by their paths, such as `server.port`. */
export function optionsOf(schema: z.ZodType): ReadonlyMap<string, OptionFacts> {
  return new Map(entriesOf(schema, ''));
}

function* entriesOf(schema: z.ZodType, path: string): Generator<[string, OptionFacts]> {
  let facts: OptionFacts = {};
  let shape: Readonly<Record<string, z.ZodType>> | undefined;
  for (let inner: z.ZodType | undefined = schema; inner !== undefined; ) {
    const definition = inner.def as InnerDefinition;
    facts = { default: definition.defaultValue, ...inner.meta(), ...facts };
    shape = definition.shape;
    inner = definition.innerType;
  }
  if (shape === undefined) yield [path, facts];
  for (const [name, option] of Object.entries(shape ?? {})) {
    yield* entriesOf(option, path === '' ? name : `${path}.${name}`);
  }
}

interface InnerDefinition {
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
}

/** Validates options that variables complete; an option has priority over its variable, and an empty variable counts as missing. */
export class OptionReader<Schema extends z.ZodType> {
  readonly problems: OptionProblem[] = [];
  readonly #options: ReadonlyMap<string, OptionFacts>;
  /** The variables that were read, by the paths of their options. */
  readonly #variables = new Map<string, string>();
  readonly #values: Values;
  /** The options; undefined when there are problems. */
  readonly parsed: z.output<Schema> | undefined;

  constructor(schema: Schema, options: object, environment: Environment) {
    this.#options = optionsOf(schema);
    this.#values = { ...options };
    for (const [path, facts] of this.#options) this.#complete(path, facts, environment);
    const result = schema.safeParse(this.#values, { reportInput: true });
    this.parsed = result.data;
    const issues = result.error?.issues ?? [];
    for (const issue of issues) {
      if (issue.code === 'unrecognized_keys') this.#rejectKeys(issue.path.join('.'), issue.keys);
    }
    for (const { code, path, message } of issues) {
      if (code !== 'unrecognized_keys')
        this.reject(path.filter((each) => typeof each === 'string').join('.'), message);
    }
  }

  /** The value of an option, before it is validated. */
  given(path: string): unknown {
    const [group = '', name] = path.split('.');
    const value = this.#values[group];
    return name === undefined ? value : (value as Values | undefined)?.[name];
  }

  /** Records the problem of an option, unless it has one. */
  reject(option: string, problem: string, variable = this.#variables.get(option)): void {
    if (this.problems.some((other) => other.option === option)) return;
    const { env = [], flag } = this.#options.get(option) ?? {};
    const names = { variable: variable ?? env[0] ?? '', ...(flag && { flag: flag.split(' ')[0] ?? '' }) };
    this.problems.push({ option, ...names, problem });
  }

  /** Takes the value of an option that is not given from its variable. */
  #complete(path: string, { env = [], fromText }: OptionFacts, environment: Environment): void {
    const [group = '', name] = path.split('.');
    const values = this.#values[group];
    const isObject = values === undefined || (typeof values === 'object' && values !== null);
    const [variable, ...others] = env.filter((each) => environment[each]);
    if (variable === undefined || this.given(path) !== undefined || (name !== undefined && !isObject)) return;
    const text = environment[variable] ?? '';
    const value = fromText === undefined ? text : fromText(text);
    this.#values[group] = name === undefined ? value : { ...(values as Values), [name]: value };
    this.#variables.set(path, variable);
    const other = others.find((each) => environment[each] !== text);
    if (other !== undefined) this.reject(path, `contradicts ${variable}; give one of them`, other);
  }

  #rejectKeys(group: string, keys: readonly string[]): void {
    for (const key of keys) {
      const name = key.slice(0, MAX_NAME_LENGTH);
      const option = group === '' ? name : `${group}.${name}`;
      this.problems.push({
        option,
        variable: '',
        problem: `is not an option; ${this.#suggestion(group, name)}`,
      });
    }
  }

  /** The option of any group that was probably meant, else the options of this group. */
  #suggestion(group: string, name: string): string {
    const paths = [...this.#options.keys()];
    const byName = new Map(paths.map((path) => [path.slice(path.indexOf('.') + 1).toLowerCase(), path]));
    const given = name.toLowerCase();
    const maxDistance = given.length < 4 ? 1 : given.length < 10 ? 2 : 3;
    const closest = closestMatch(given, [...byName.keys()], { maxDistance });
    if (closest !== undefined) return `did you mean ${byName.get(closest)}?`;
    const depth = group === '' ? 0 : 1;
    const inGroup = paths.filter((path) => path.startsWith(depth === 0 ? '' : `${group}.`));
    const names = new Set(inGroup.map((path) => path.split('.')[depth]));
    return `the options${group === '' ? '' : ` of ${group}`} are ${[...names].sort().join(', ')}`;
  }
}

type Values = Record<string, unknown>;

const MAX_NAME_LENGTH = 80;
