import { type Logger, loggerOf, writeNothing } from './logger.ts';

const MAX_VALUE_LENGTH = 500;
const MAX_FRAMES = 8;
const MAX_CAUSES = 3;
/** The code of errors that come from the network, not from a place in a program. */
const CONNECTION_FAILED = 'connection_failed';

export interface StderrLoggerOptions {
  /** For tests. @default process.stderr */
  readonly write?: (text: string) => void;
  /** Whether a person reads it. @default whether stderr is a terminal */
  readonly isTerminal?: boolean;
}

/**
 * The default logger: warnings and errors go to stderr. On a terminal they are lines for a person, and an error has its hint, causes and
 * frames below it; elsewhere each is one line of JSON with `time`, `level`, `message` and the fields. A warning about a failed connection has no frames.
 * Debug and info are dropped.
 */
export function stderrLogger({
  write = (text) => process.stderr.write(text),
  isTerminal = process.stderr.isTTY === true,
}: StderrLoggerOptions = {}): Logger {
  const { warn, error } = loggerOf((level, fields, message) => {
    const time = new Date().toISOString();
    const shown = Object.entries(fields).map(([key, value]) => [key, shownValue(value, level)] as const);
    if (isTerminal) write(forPerson(time, level, shown, message));
    else write(`${JSON.stringify({ time, level, message, ...Object.fromEntries(shown) })}\n`);
  });
  return { debug: writeNothing, info: writeNothing, warn, error };
}

/** What JSON can write: handlers may throw anything. */
function shownValue(value: unknown, level: string): unknown {
  try {
    if (isErrorLike(value)) return shownError(value, level);
    JSON.stringify(value);
    return value;
  } catch {
    return process
      .getBuiltinModule('node:util')
      .inspect(value, { customInspect: false, depth: 1 })
      .slice(0, MAX_VALUE_LENGTH);
  }
}

interface ErrorLike extends Error {
  readonly code?: unknown;
  readonly hint?: unknown;
}

function isErrorLike(value: unknown): value is ErrorLike {
  if (typeof value !== 'object' || value === null) return false;
  return typeof Reflect.get(value, 'name') === 'string' && typeof Reflect.get(value, 'message') === 'string';
}

/** What is shown of an error. */
class ShownError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly stack: readonly string[] | undefined;
  readonly cause: ShownError | undefined;

  constructor(error: ErrorLike, hasFrames: boolean, depth: number) {
    this.name = error.name;
    this.message = error.message.slice(0, 2 * MAX_VALUE_LENGTH);
    this.code = typeof error.code === 'string' ? error.code : undefined;
    this.hint = typeof error.hint === 'string' ? error.hint : undefined;
    const frames = hasFrames ? framesOf(error.stack) : [];
    this.stack = frames.length === 0 ? undefined : frames;
    this.cause =
      isErrorLike(error.cause) && depth < MAX_CAUSES
        ? new ShownError(error.cause, false, depth + 1)
        : undefined;
  }
}

function shownError(error: ErrorLike, level: string): ShownError {
  return new ShownError(error, !(level === 'warn' && error.code === CONNECTION_FAILED), 0);
}

/** The frames outside Node itself. */
function framesOf(stack: unknown): string[] {
  if (typeof stack !== 'string') return [];
  return stack
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at ') && !line.includes('node:internal'))
    .slice(0, MAX_FRAMES);
}

function forPerson(
  time: string,
  level: string,
  fields: readonly (readonly [string, unknown])[],
  message: string,
): string {
  const values = fields.flatMap(([key, value]) => {
    if (value instanceof ShownError || value === undefined || key === 'hint') return [];
    return `${key}=${formatValue(value)}`;
  });
  const hints = fields.flatMap(([key, value]) => (key === 'hint' ? [`  ${oneLine(String(value))}`] : []));
  const errors = fields.flatMap(([, value]) => (value instanceof ShownError ? errorLines(value) : []));
  const first = [time, 'molecule', level.toUpperCase(), oneLine(message), ...values].join(' ');
  return `${[first, ...hints, ...errors].join('\n')}\n`;
}

function errorLines({ name, code, message, hint, stack = [], cause }: ShownError): string[] {
  const named = `${name}${code === undefined ? '' : ` (${code})`}: ${message}`;
  const below = cause === undefined ? [] : errorLines(cause);
  return [
    `  ${oneLine(named)}`,
    ...(hint === undefined ? [] : [`  ${oneLine(hint)}`]),
    ...stack.map((frame) => `    ${oneLine(frame)}`),
    ...below.map((line, index) => (index === 0 ? `  caused by ${line.trim()}` : line)),
  ];
}

function formatValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const cut = oneLine(text).slice(0, MAX_VALUE_LENGTH);
  return /^[\w.:/@+-]+$/.test(cut) ? cut : JSON.stringify(cut);
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal must not interpret what is logged.
  return text.replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}
