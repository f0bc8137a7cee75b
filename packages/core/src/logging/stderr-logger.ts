import { type LogFields, type Logger, loggerOf, writeNothing } from './logger.ts';

const MAX_VALUE_LENGTH = 500;
const MAX_FRAMES = 8;
/** The code of errors that come from the network, not from a place in a program. */
const CONNECTION_FAILED = 'connection_failed';

/**
 * The default logger: warnings and errors go to stderr, one line each, with the fields, and of an error its message,
 * its causes and the frames of its stack. A warning about a failed connection has no frames. Debug and info are dropped.
 *
 * @param write For tests. @default process.stderr
 */
export function stderrLogger(write: (line: string) => void = (line) => process.stderr.write(line)): Logger {
  const { warn, error } = loggerOf((level, fields, message) => {
    write(formatLine(level.toUpperCase(), fields, message));
  });
  return { debug: writeNothing, info: writeNothing, warn, error };
}

function formatLine(level: string, fields: LogFields, message: string): string {
  const values = Object.entries(fields).map(([key, value]) =>
    isErrorLike(value) ? `${key}=${formatError(value, level)}` : `${key}=${formatValue(value)}`,
  );
  return `${[new Date().toISOString(), 'molecule', level, oneLine(message), ...values].join(' ')}\n`;
}

function formatValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const cut = oneLine(text).slice(0, MAX_VALUE_LENGTH);
  return /^[\w.:/@+-]+$/.test(cut) ? cut : JSON.stringify(cut);
}

interface ErrorLike extends Error {
  readonly code?: unknown;
  readonly hint?: unknown;
}

function isErrorLike(value: unknown): value is ErrorLike {
  if (typeof value !== 'object' || value === null) return false;
  return typeof Reflect.get(value, 'name') === 'string' && typeof Reflect.get(value, 'message') === 'string';
}

function formatError(error: ErrorLike, level: string, depth = 0): string {
  const code = typeof error.code === 'string' ? ` (${error.code})` : '';
  const message = oneLine(error.message);
  const stop = /[.!?:]$/.test(message) ? '' : '.';
  const hint = typeof error.hint === 'string' ? `${stop} ${oneLine(error.hint)}` : '';
  const text = JSON.stringify(`${error.name}${code}: ${message}${hint}`.slice(0, 2 * MAX_VALUE_LENGTH));
  const hasFrames = depth === 0 && !(level === 'WARN' && error.code === CONNECTION_FAILED);
  const stack = hasFrames ? framesOf(error.stack) : '';
  const cause =
    isErrorLike(error.cause) && depth < 3 ? ` cause=${formatError(error.cause, level, depth + 1)}` : '';
  return `${text}${cause}${stack === '' ? '' : ` stack=${JSON.stringify(stack)}`}`;
}

/** The frames outside Node itself, in one line. */
function framesOf(stack: unknown): string {
  if (typeof stack !== 'string') return '';
  return stack
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at ') && !line.includes('node:internal'))
    .slice(0, MAX_FRAMES)
    .join(' | ');
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal must not interpret what is logged.
  return text.replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}
