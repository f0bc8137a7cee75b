import type { JsonValue } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { ModelText } from '../trust-boundary/fence.ts';
import type { AnswerInput } from './tool-shapes.ts';

/** A JSON Schema as plain data, in the part of it that the strict modes of model providers take: every property is required. */
export interface JsonSchema {
  type: 'object' | 'string' | 'boolean' | 'array';
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: false;
  items?: JsonSchema;
}

/** What a framework knows of one call of a tool. */
export interface ToolCall {
  /** Aborts the call: `execute` rejects with the signal's reason, and the message to the peer is canceled. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The framework's id of the call. A call with the same id, arguments and handled message or run sends no second message, so that a
   * call that is repeated after a crash reaches the peer once. @default each call sends a message of its own
   */
  readonly callId?: string | undefined;
  /** Outside of handlers, the run of the model that `callId` belongs to: models repeat their call ids in other runs. */
  readonly runId?: string | undefined;
  /**
   * For frameworks whose ids are others in each attempt of a message: names this call within the attempt. The n-th call with the same `callId`
   * and arguments is then the same message in each attempt.
   */
  readonly callerId?: string | undefined;
  /** Of the same tool, before this call in the attempt or in an earlier one that it continues: they count as well. */
  readonly earlierCalls?: readonly { readonly input: unknown; readonly callerId: string }[] | undefined;
  /**
   * The step of a stored run that `callId` belongs to, the same in each repeat of that step, also where another message resumes the run.
   * It takes the place of the handled message and of the run in the id of what is sent. @default the handled message, else the run
   */
  readonly stepId?: string | undefined;
  /** Outside of handlers, the conversation in which the tool is called. @default the run */
  readonly threadId?: string | undefined;
  /** How long this call waits for an answer, in milliseconds, 2 000 or more. @default that of all tools */
  readonly timeoutMs?: number | undefined;
  /**
   * Gets the peer's answer while it is made, piece by piece, at most one piece each 250 ms: for people. Untrusted, without boundary
   * markers and not fenced; a model gets `ToolOutcome.forModel`. What it throws ends the reports.
   */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** What came of a call, as plain JSON. Store it as it is: a stored outcome gives a model the same bytes. */
export interface ToolOutcome<Data extends JsonValue = JsonValue> {
  /** The result for a model: our own words, and those of peers in a fence. */
  forModel: ModelText;
  /** The result for programs and people. Texts of peers in it are untrusted and not fenced. */
  data: Data;
  isError: boolean;
}

/** A tool for a model, for any framework. */
export interface ToolDefinition<
  Name extends string = string,
  Input = unknown,
  Data extends JsonValue = JsonValue,
> {
  readonly name: Name;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  /**
   * Checks the arguments that a model wrote. Arguments with a default may be left out.
   * @throws MoleculeError `invalid_argument`, whose message is for the model: what to correct.
   */
  parse(raw: unknown): Input;
  /**
   * Checks the arguments and does it. Wrong arguments, and whatever a peer, the platform or the network does, are an outcome; it rejects only with the
   * reason of `call.signal`, or of the signal of the handler in which it runs.
   */
  execute(rawArguments: unknown, call?: ToolCall): Promise<ToolOutcome<Data>>;
}

/** Below the 1 MiB of a request, in every script. */
const MAX_TEXT_LENGTH = 100_000;
const MAX_ANSWERS = 20;
/** Ids are the platform's; anything that could carry a sentence or leave a path is not one. */
const ID = /^(?!\.+$)[\w.:-]{1,128}$/;
const NAME = /^\w{1,40}$/;

/** One argument of a tool: what a model is shown of it, and how it is read. */
export interface Argument<Value> {
  readonly schema: JsonSchema;
  /** Another name under which it is accepted. */
  readonly alias?: string | undefined;
  /** @throws MoleculeError `invalid_argument` */
  read(value: unknown, name: string): Value;
}

/** An argument for each field of the input of a tool. */
export type ArgumentsOf<Input> = {
  readonly [Name in keyof Input & string]-?: Argument<NonNullable<Input[Name]>>;
};
type AnyArguments = Readonly<Record<string, Argument<unknown>>>;

/** The schema of all arguments. Each is required, as strict modes want it; {@link readArguments} knows the defaults. */
export function schemaOf(args: AnyArguments): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(args).map(([name, { schema }]) => [name, schema])),
    required: Object.keys(args),
    additionalProperties: false,
  };
}

/**
 * @param ignored names that other tools have, and that change nothing here
 * @throws MoleculeError `invalid_argument`, in words for the model that wrote the arguments.
 */
export function readArguments<Input>(
  raw: unknown,
  args: ArgumentsOf<Input> & AnyArguments,
  ignored: readonly string[] = [],
): Input {
  const given = objectOf(raw ?? {}, 'The arguments');
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(given)) {
    if (ignored.includes(key)) continue;
    const name = Object.keys(args).find((each) => each === key || args[each]?.alias === key);
    if (name === undefined) throw refused(`There is no argument${shownName(key)}. ${possible(args)}`);
    if (values.has(name)) throw refused(`\`${name}\` is given twice.`);
    values.set(name, value);
  }
  const read = Object.entries(args).map(([name, argument]) => [name, argument.read(values.get(name), name)]);
  return Object.fromEntries(read) as Input;
}

/** An id that the platform gave. */
export function idArgument(description: string, alias?: string): Argument<string> {
  return {
    schema: { type: 'string', description },
    alias,
    read(value, name) {
      const text = stringOf(value, name).trim();
      if (ID.test(text)) return text;
      throw refused(`\`${name}\` is not an id. Use one exactly as it was given to you.`);
    },
  };
}

/** An id, or `''` when it is left out. */
export function optionalIdArgument(description: string): Argument<string> {
  const { schema, read } = idArgument(description);
  const isLeftOut = (value: unknown) => value === undefined || value === null || value === '';
  return { schema, read: (value, name) => (isLeftOut(value) ? '' : read(value, name)) };
}

export function textArgument(description: string, alias?: string): Argument<string> {
  return {
    schema: { type: 'string', description: `${description} At most ${MAX_TEXT_LENGTH} characters.` },
    alias,
    read: textOf,
  };
}

/** `false` when it is left out. */
export function flagArgument(description: string): Argument<boolean> {
  return {
    schema: { type: 'boolean', description },
    read(value, name) {
      if (value === undefined || value === null) return false;
      if (typeof value === 'boolean') return value;
      throw refused(`\`${name}\` must be true or false, not ${nameOfType(value)}.`);
    },
  };
}

/** Answers to questions, none when it is left out. */
export function answersArgument(description: string): Argument<AnswerInput[]> {
  const fields: ArgumentsOf<AnswerInput> = {
    question_id: textArgument('The question_id of the question.'),
    text: textArgument('The answer.'),
  };
  return {
    schema: { type: 'array', description, items: schemaOf(fields) },
    read(value, name) {
      if (value === undefined || value === null) return [];
      if (!Array.isArray(value)) throw refused(`\`${name}\` must be a list, not ${nameOfType(value)}.`);
      if (value.length > MAX_ANSWERS) throw refused(`\`${name}\` has more than ${MAX_ANSWERS} entries.`);
      return value.map((item) =>
        readArguments<AnswerInput>(objectOf(item, `Each entry of \`${name}\``), fields),
      );
    },
  };
}

function textOf(value: unknown, name: string): string {
  const text = stringOf(value, name);
  if (text.trim() === '') throw refused(`\`${name}\` must not be blank.`);
  if (text.length <= MAX_TEXT_LENGTH) return text;
  throw refused(`\`${name}\` has ${text.length} characters, ${MAX_TEXT_LENGTH} are possible: send less.`);
}

function stringOf(value: unknown, name: string): string {
  if (value === undefined) throw refused(`\`${name}\` is missing.`);
  if (typeof value === 'string') return value;
  throw refused(`\`${name}\` must be a string, not ${nameOfType(value)}.`);
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw refused(`${what} must be an object, not ${nameOfType(value)}.`);
}

function nameOfType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Nothing of a name that could be more than one. */
function shownName(key: string): string {
  return NAME.test(key) ? ` \`${key}\`` : ' with this name';
}

function possible(args: AnyArguments): string {
  const names = Object.keys(args).map((name) => `\`${name}\``);
  return names.length === 0 ? 'The tool takes none.' : `Possible are ${names.join(', ')}.`;
}

function refused(message: string): MoleculeError {
  return new MoleculeError(message, {
    code: 'invalid_argument',
    hint: 'Nothing was sent: correct the arguments and call the tool again.',
  });
}
