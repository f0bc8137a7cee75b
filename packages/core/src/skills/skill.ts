import { type ValidationResult, Validator } from '@cfworker/json-schema';
import { isJsonObject, type JsonObject, JsonValue } from '@molecule-ai/protocol';
import isSafePattern from 'safe-regex2';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { describe, given, type OptionsOf, option, optionsSchema, parseOptions } from '../settings/options.ts';

const MAX_SCHEMA_BYTES = 16_384;
const DRAFT = 'draft-2020-12';
const ID = /^[\w.:-]{1,100}$/;
const MAX_PROBLEMS = 3;
const MAX_SENTENCE = 200;

/** A schema of a library with Standard Schema, such as zod, valibot and arktype. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    /** Those of libraries with Standard JSON Schema, such as zod 4.2. */
    readonly jsonSchema?: Readonly<
      Record<'input' | 'output', (options: { readonly target: string }) => Record<string, unknown>>
    >;
  };
}

/** What describes and checks data: a {@link StandardSchema}, or JSON Schema 2020-12 as plain JSON. */
export type SkillSchema = StandardSchema | JsonObject;

type TypesOf<Schema> = Schema extends StandardSchema
  ? NonNullable<Schema['~standard']['types']>
  : { readonly input: JsonValue; readonly output: JsonValue };
/** The data as it is sent, before it is checked; any JSON, or none, without a schema. */
export type SentData<Schema> = Schema extends undefined ? JsonValue | undefined : TypesOf<Schema>['input'];
/** The data as it is received, after it was checked. */
export type ReceivedData<Schema> = Schema extends undefined
  ? JsonValue | undefined
  : TypesOf<Schema>['output'];

/** What an agent can do, with the data that it takes and returns. Both sides may import it; each checks with its own. */
export interface Skill<Input, Output> extends AnySkill {
  readonly input: SchemaCheck<Input>;
  readonly output: SchemaCheck<Output>;
}

/** A {@link Skill} whose schemas are not known here. */
export interface AnySkill {
  readonly id: string;
  /** As it is on the card of the agent. */
  readonly card: JsonObject;
  readonly input: AnyCheck;
  readonly output: AnyCheck;
}

interface AnyCheck {
  /** As it was given to {@link defineSkill}. */
  readonly source: unknown;
  /** JSON Schema 2020-12, for the card; `undefined` where there is no schema. */
  readonly schema: JsonObject | undefined;
  /** Checks data. Rejects only with what a schema of the application throws. */
  check(data: unknown): Promise<CheckedData<unknown>>;
}

/** One side of a skill. */
export interface SchemaCheck<Schema> extends AnyCheck {
  readonly source: Schema;
  check(data: unknown): Promise<CheckedData<ReceivedData<Schema>>>;
}

/** `problem`: one sentence that names the fields, without their values. */
export type CheckedData<Data> = { readonly data: Data } | { readonly problem: string };

class JsonSchemas {
  input = given<JsonObject>();
  output = given<JsonObject>();
}

class SkillShape {
  /** What a message names it by, `metadata.skill`: letters, digits, `_`, `.`, `:` and `-`, at most 100. */
  id = option<string>((value, refuse) => {
    if (typeof value === 'string' && ID.test(value)) return value;
    return refuse(`must be 1 to 100 letters, digits, "_", ".", ":" or "-", got ${describe(value)}`);
  });
  /** What people read. @default the id */
  name = given<string>();
  /** What it does, for programs and people that choose a peer. */
  description = given<string>();
  tags = given<readonly string[]>();
  examples = given<readonly string[]>();
  /** JSON Schema 2020-12 of a library that gives none itself. */
  jsonSchema = optionsSchema(new JsonSchemas());
}

/** Options of {@link defineSkill}. */
export interface SkillOptions<Input extends SkillSchema | undefined, Output extends SkillSchema | undefined>
  extends OptionsOf<SkillShape> {
  id: string;
  /** What the data of a message must be. @default any JSON, or none */
  input?: Input | undefined;
  /** What the data of an answer must be. @default any JSON, or none */
  output?: Output | undefined;
}

const OPTIONS = optionsSchema({ ...new SkillShape(), input: given(), output: given() });

/**
 * Describes a skill, for the agent that has it (`createRemoteAgent({ skills: [handleSkill(skill, …)] })`) and for programs that ask it
 * (`client.callPeer(peerId, { skill, data })`). The schemas are on the card of the agent.
 * @throws ConfigurationError for a wrong option; a schema of more than 16 KiB, without JSON Schema, or with a pattern that can take exponential time.
 *
 * @example
 * export const order = defineSkill({
 *   id: 'order',
 *   input: z.object({ item: z.string(), count: z.int() }),
 *   output: z.object({ number: z.string() }),
 * });
 */
export function defineSkill<
  Input extends SkillSchema | undefined = undefined,
  Output extends SkillSchema | undefined = undefined,
>(options: SkillOptions<Input, Output>): Skill<Input, Output> {
  const { id, name, description, tags, examples, jsonSchema } = parseOptions('defineSkill', OPTIONS, options);
  const side = <Schema extends SkillSchema | undefined>(which: 'input' | 'output', schema: Schema) =>
    schemaCheck<Schema>(`${which} of the skill "${id}"`, which, schema, jsonSchema[which]);
  const card = JSON.parse(
    JSON.stringify({ id, name: name ?? id, description: description ?? '', tags: tags ?? [], examples }),
  );
  return Object.freeze({
    id,
    card,
    input: side('input', options.input as Input),
    output: side('output', options.output as Output),
  });
}

function schemaCheck<Schema extends SkillSchema | undefined>(
  what: string,
  which: 'input' | 'output',
  schema: SkillSchema | undefined,
  given: JsonObject | undefined,
): SchemaCheck<Schema> {
  const written = schema === undefined ? undefined : (given ?? jsonSchemaOf(what, which, schema));
  if (written !== undefined)
    requireUsable(what, written, { isByHand: given !== undefined, isInterpreted: schema === written });
  return {
    source: schema as Schema,
    schema: written,
    check: checkOf(schema) as SchemaCheck<Schema>['check'],
  };
}

function checkOf(schema: SkillSchema | undefined): (data: unknown) => Promise<CheckedData<unknown>> {
  if (schema === undefined) return async (data) => ({ data });
  if (isStandard(schema)) {
    const { validate } = schema['~standard'];
    return async (data) => readStandard(await validate(data));
  }
  // To the first problem: all of them of a large list take quadratic time.
  const validator = new Validator(schema, '2020-12', true);
  return async (data) => {
    if (data === undefined) return { problem: 'data is missing' };
    const { valid, errors } = validated(validator, data);
    // The ones before it say that something inside is wrong.
    const { instanceLocation = '', error = '' } = errors.at(-1) ?? {};
    return valid ? { data } : { problem: sentenceOf([[pathOf(instanceLocation), error]]) };
  };
}

/** The library throws for a key with half of a surrogate pair. */
function validated(validator: Validator, data: unknown): ValidationResult {
  try {
    return validator.validate(data);
  } catch {
    const error = 'A key is not well-formed text.';
    return { valid: false, errors: [{ instanceLocation: '#', error, keyword: '', keywordLocation: '' }] };
  }
}

/** `#/items/0/id` as `.items[0].id`. */
function pathOf(pointer: string): string {
  const keys = pointer.split('/').slice(1);
  return keys
    .map((key) => keyed(decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')))
    .join('');
}

function keyed(key: PropertyKey): string {
  return /^\d+$/.test(String(key)) ? `[${String(key)}]` : `.${String(key).slice(0, 100)}`;
}

/** What a library returned. */
function readStandard(result: unknown): CheckedData<unknown> {
  const { issues, value } = Object(result);
  if (issues === undefined || issues === null) return { data: value };
  const all: unknown[] = Array.isArray(issues) ? issues : [];
  const named = all.slice(0, MAX_PROBLEMS).map((issue): [string, string] => {
    const { message, path } = Object(issue);
    const keys: unknown[] = Array.isArray(path) ? path : [];
    const keyOf = (each: unknown) => keyed(Object(each).key ?? each);
    return [keys.map(keyOf).join(''), String(message)];
  });
  return { problem: sentenceOf(named, all.length - named.length) };
}

function sentenceOf(problems: readonly (readonly [path: string, problem: string])[], more = 0): string {
  const shown = problems.map(([path, problem]) => `data${path}: ${problem.slice(0, MAX_SENTENCE)}`);
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ') || 'data does not fit';
}

export function isStandard(schema: unknown): schema is StandardSchema {
  return typeof Object(Reflect.get(Object(schema), '~standard')).validate === 'function';
}

function jsonSchemaOf(what: string, which: 'input' | 'output', schema: SkillSchema): JsonObject {
  if (!isStandard(schema)) {
    if (isJsonObject(schema) && JsonValue.safeParse(schema).success) return schema;
    throw new ConfigurationError(`The ${what} is neither a schema of a library nor JSON Schema.`, {
      hint: 'Pass a schema of zod, valibot or arktype, or an object such as { type: "object" }.',
    });
  }
  const { jsonSchema, vendor } = schema['~standard'];
  const hint = `Give it by hand: jsonSchema: { ${which}: { … } }.`;
  if (jsonSchema === undefined) {
    throw new ConfigurationError(`The library of the ${what}, ${vendor}, gives no JSON Schema.`, { hint });
  }
  try {
    // What is sent is what the schema takes, in answers as well; what it makes of that stays in the program.
    return JSON.parse(JSON.stringify(jsonSchema.input({ target: DRAFT })));
  } catch (cause) {
    throw new ConfigurationError(`The ${what} cannot be written as JSON Schema.`, { hint, cause });
  }
}

interface SchemaOrigin {
  /** Beside a schema of a library. */
  readonly isByHand: boolean;
  /** It is itself what checks data. */
  readonly isInterpreted: boolean;
}

function requireUsable(what: string, schema: JsonObject, { isByHand, isInterpreted }: SchemaOrigin): void {
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > MAX_SCHEMA_BYTES) {
    throw new ConfigurationError(
      `The ${what} has ${bytes} bytes of JSON Schema; at most ${MAX_SCHEMA_BYTES} are allowed.`,
      {
        hint: 'Describe it with fewer words, or take a simpler form of data.',
      },
    );
  }
  if (isInterpreted && hasUniqueItems(schema)) {
    throw new ConfigurationError(`The ${what} has uniqueItems, which takes quadratic time to check.`, {
      hint: 'Leave it out, and check it in the handler.',
    });
  }
  // Those beside a format are a library's own, unless the application wrote all of it.
  const unsafe = patternsIn(schema, isByHand || isInterpreted).find((pattern) => !isSafePattern(pattern));
  if (unsafe === undefined) return;
  throw new ConfigurationError(
    `The ${what} has a pattern that can take exponential time: ${unsafe.slice(0, 100)}`,
    {
      hint: 'Write it without repetitions inside repetitions, or limit the length and check in the handler.',
    },
  );
}

function hasUniqueItems(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.some(hasUniqueItems);
  return isJsonObject(value) && (value.uniqueItems === true || Object.values(value).some(hasUniqueItems));
}

function patternsIn(value: JsonValue | undefined, isByHand: boolean): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => patternsIn(each, isByHand));
  if (!isJsonObject(value)) return [];
  const { pattern, format, patternProperties } = value;
  const own = typeof pattern === 'string' && (isByHand || format === undefined) ? [pattern] : [];
  const keys = isJsonObject(patternProperties) ? Object.keys(patternProperties) : [];
  return [...own, ...keys, ...Object.values(value).flatMap((each) => patternsIn(each, isByHand))];
}
