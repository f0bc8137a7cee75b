import type { z } from 'zod';

/** What is wrong with one field of a value. */
export interface FieldProblem {
  /** Such as `agent_card.skills[0].id`; `''` for the value itself. */
  readonly path: string;
  /** Such as `must not be empty`. It names types and sizes, and quotes nothing of the value. */
  readonly message: string;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** At most so many problems of one value. */
const MAX_PROBLEMS = 10;
/** At most so many of them in a sentence. */
const MAX_NAMED = 3;
const MAX_PATH_LENGTH = 120;
const MAX_KEY_LENGTH = 40;
const MAX_WORDS = 12;

/**
 * The issues that a schema found in `value`, in plain words and with the path of each field; at most ten. For errors that people
 * read: paths and messages have a limited length and contain no value.
 */
export function fieldProblems(issues: readonly Issue[], value: unknown): FieldProblem[] {
  return issues.slice(0, MAX_PROBLEMS).map((issue) => problemOf(issue, [], value));
}

/** The first of the problems in a line: `name: must not be empty; role: must be a text, not a number`. */
export function describeProblems(problems: readonly FieldProblem[]): string {
  const named = problems
    .slice(0, MAX_NAMED)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const more = problems.length - named.length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function problemOf(issue: Issue, before: Path, root: unknown): FieldProblem {
  const path = [...before, ...issue.path];
  if (issue.code === 'invalid_union') {
    const likely = likelyBranch(issue.errors);
    if (likely !== undefined) return problemOf(likely, path, root);
  }
  return { path: pathText(path), message: wordsOf(issue, valueAt(root, path)) };
}

/** The issue of the branch that was probably meant: the one whose own type fits, so that its issues are inside of it. */
function likelyBranch(branches: readonly (readonly Issue[])[]): Issue | undefined {
  const depthOf = (issues: readonly Issue[]) => Math.min(...issues.map(({ path }) => path.length));
  const inside = branches.filter((issues) => issues.length > 0 && depthOf(issues) > 0);
  const typed = branches.filter(([first]) => first !== undefined && first.code !== 'invalid_type');
  return (inside[0] ?? typed[0])?.[0];
}

function wordsOf(issue: Issue, value: unknown): string {
  if (value === undefined && issue.code !== 'custom' && issue.code !== 'unrecognized_keys') {
    return 'is missing';
  }
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeWord(issue.expected)}, not ${typeOf(value, issue.expected)}`;
    case 'invalid_value':
      return `must be ${choice(issue.values.map((each) => JSON.stringify(each) ?? String(each)))}`;
    case 'too_small':
      return boundWords(issue.origin, issue.minimum, 'least', issue.inclusive !== false);
    case 'too_big':
      return boundWords(issue.origin, issue.maximum, 'most', issue.inclusive !== false);
    case 'invalid_format':
      return FORMATS[issue.format] ?? WRONG_FORM;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return `must not have the ${issue.keys.length === 1 ? 'key' : 'keys'} ${listOf(issue.keys.map(shortKey))}`;
    case 'invalid_union':
      return unionWords(issue.errors, value);
    case 'custom':
      return issue.message === 'Invalid input' ? WRONG_FORM : issue.message;
    default:
      return WRONG_FORM;
  }
}

const WRONG_FORM = 'has the wrong form';

const FORMATS: Readonly<Record<string, string>> = {
  guid: 'must be a UUID',
  uuid: 'must be a UUID',
  datetime: 'must be a time of RFC 3339, such as 2026-01-31T12:00:00Z',
  url: 'must be a URL',
  email: 'must be an e-mail address',
};

/** The types that the branches of a union take. */
function unionWords(branches: readonly (readonly Issue[])[], value: unknown): string {
  const types = branches.flatMap(([first]) =>
    first?.code === 'invalid_type' ? [typeWord(first.expected)] : [],
  );
  return types.length === 0 ? WRONG_FORM : `must be ${choice([...new Set(types)])}, not ${typeOf(value)}`;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
  null: 'null',
};

function typeWord(expected: string): string {
  return TYPE_WORDS[expected] ?? `of the type ${expected}`;
}

function typeOf(value: unknown, expected?: string): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'number' && expected === 'int') return 'a fraction';
  return TYPE_WORDS[typeof value] ?? `a ${typeof value}`;
}

function boundWords(
  origin: string,
  bound: number | bigint,
  side: 'least' | 'most',
  isInclusive: boolean,
): string {
  if (origin === 'string') {
    if (side === 'least' && bound === 1) return 'must not be empty';
    return `must have at ${side} ${countOf(bound, 'character')}`;
  }
  if (origin === 'array' || origin === 'set')
    return `must have at ${side} ${countOf(bound, 'entry', 'entries')}`;
  if (isInclusive) return `must be at ${side} ${bound}`;
  return `must be ${side === 'least' ? 'more' : 'less'} than ${bound}`;
}

function countOf(count: number | bigint, one: string, many = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : many}`;
}

function choice(words: readonly string[]): string {
  const shown = words.slice(0, MAX_WORDS);
  if (shown.length < words.length) return `one of ${shown.join(', ')} and others`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`;
}

function listOf(words: readonly string[]): string {
  const shown = words.slice(0, MAX_NAMED).join(', ');
  return words.length > MAX_NAMED ? `${shown} and ${words.length - MAX_NAMED} more` : shown;
}

/** Keys may be the caller's own: other characters than those of names are quoted, and long ones cut. */
function shortKey(key: PropertyKey): string {
  const text = String(key);
  return /^[\w$-]{1,40}$/.test(text) ? text : JSON.stringify(text.slice(0, MAX_KEY_LENGTH));
}

function pathText(path: Path): string {
  const text = path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      const name = shortKey(key);
      if (name.startsWith('"')) return `[${name}]`;
      return index === 0 ? name : `.${name}`;
    })
    .join('');
  return text.length > MAX_PATH_LENGTH ? `${text.slice(0, MAX_PATH_LENGTH)}…` : text;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
