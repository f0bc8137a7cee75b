import type { Logger } from '@molecule-ai/core';
import { Logger as NestLogger } from '@nestjs/common';

/** Longest list of fields of one line, in UTF-16 units. */
const MAX_FIELDS_LENGTH = 4_000;
const MAX_FRAMES = 20;
/** What could change what a terminal shows. */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

const LEVELS = { debug: 'debug', info: 'log', warn: 'warn', error: 'error' } as const;

/**
 * Lines of core by the `Logger` of Nest, and so by what the application gave `useLogger`, at the same levels: the text with its
 * fields as JSON, and the frames of the stack of an error, also when a handler fails for the first time. The module gives it to agents that have no `logger`.
 * @param context As Nest shows it before the line.
 */
export function nestLogger(context = 'Molecule'): Logger {
  const logger = new NestLogger(context);
  const write = (
    level: keyof typeof LEVELS,
    fields: Parameters<Logger['error']>[0],
    message: string,
  ): void => {
    const method = LEVELS[level];
    const line = lineOf(message, fields);
    const stack = method === 'error' || isFirstFailure(fields) ? stackOf(fields.error) : undefined;
    if (stack === undefined) logger[method](line);
    else if (method === 'error') logger.error(line, stack);
    // Other levels have no argument for it in Nest.
    else logger[method](`${line}\n${stack}`);
  };
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}

/** Of a handler that is tried again. Further attempts would show the same frames again. */
function isFirstFailure({ stage, attempt }: Parameters<Logger['error']>[0]): boolean {
  return stage === 'handler' && attempt === 1;
}

function lineOf(message: string, fields: Parameters<Logger['error']>[0]): string {
  const named = Object.entries(fields);
  if (named.length === 0) return withoutControls(message);
  return withoutControls(`${message} ${jsonOf(fields)}`);
}

function jsonOf(fields: Parameters<Logger['error']>[0]): string {
  try {
    const text = JSON.stringify(fields, (key, value: unknown) =>
      key === 'stack' ? undefined : readable(value),
    );
    return text.length > MAX_FIELDS_LENGTH ? `${text.slice(0, MAX_FIELDS_LENGTH)}…` : text;
  } catch {
    return '[unreadable fields]';
  }
}

/** `JSON.stringify` shows nothing of an error, and throws for a bigint. */
function readable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (!(value instanceof Error)) return value;
  return { ...value, name: value.name, message: value.message };
}

/** The frames only: the message stands in front of them, and may quote a peer. It is in the line, without what could change a terminal. */
function stackOf(error: unknown): string | undefined {
  const { stack, message } = Object(error) as Partial<Record<string, unknown>>;
  if (typeof stack !== 'string') return undefined;
  const frames = stack
    .replace(String(message), () => '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  return frames.length === 0 ? undefined : frames.slice(0, MAX_FRAMES).map(withoutControls).join('\n');
}

function withoutControls(line: string): string {
  return line.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
