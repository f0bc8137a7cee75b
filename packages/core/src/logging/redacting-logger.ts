import { isError } from '../errors/is-error.ts';
import { MIN_KNOWN_LENGTH, REDACTED, redactSecrets } from '../errors/redact-secrets.ts';
import { type LogFields, type Logger, loggerOf, writeNothing } from './logger.ts';

const SECRET_KEY = /token|secret|authorization|password|passwd|api[_-]?key|cookie|credential/i;
const NOT_SECRET_KEY = /^(?:.*token(?:s|_?count|_?id|_?prefix)|.*secret_?(?:names|keys|count))$/i;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

export interface RedactingLogger extends Logger {
  /** Redacts this value in all later lines. Values shorter than 16 characters are ignored: they are words of other texts. */
  addSecret(secret: string): void;
}

/**
 * Wraps a logger and redacts credentials: values of keys that name a token, secret, authorization, password, key or
 * cookie; bearer values and platform tokens in any text; and the values passed to `addSecret`. Errors thrown by the
 * logger are ignored.
 */
export function redactingLogger(target: Logger, secrets: Iterable<string> = []): RedactingLogger {
  const known = new Set<string>();
  const addSecret = (secret: string): void => {
    if (secret.length >= MIN_KNOWN_LENGTH) known.add(secret);
  };
  for (const secret of secrets) addSecret(secret);
  const logger = loggerOf((level, fields, message) => {
    try {
      if (target[level] === writeNothing) return;
      const redacted = redact(fields, [...known], 0, new Set()) as LogFields;
      target[level](redacted, redactSecrets(message, known));
    } catch {
      // An error of the logger must not affect its caller.
    }
  });
  return { ...logger, addSecret };
}

/** Returns a copy of `value` with credentials redacted: by key, by pattern, and the strings of `known`. Never throws. */
function redact(value: unknown, known: readonly string[], depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return redactSecrets(value, known);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (value instanceof Date) return value;
  above.add(value);
  try {
    if (isError(value)) return redactError(value, known, depth, above);
    if (Array.isArray(value)) {
      return value.slice(0, MAX_ITEMS).map((item) => redact(item, known, depth + 1, above));
    }
    return redactEntries(Object.entries(value), known, depth, above);
  } catch {
    return '[unreadable]';
  } finally {
    above.delete(value);
  }
}

function redactError(error: Error, known: readonly string[], depth: number, above: Set<object>): unknown {
  const toJSON: unknown = Reflect.get(error, 'toJSON');
  const described: unknown = typeof toJSON === 'function' ? toJSON.call(error) : undefined;
  const fields =
    typeof described === 'object' && described !== null ? Object.entries(described) : Object.entries(error);
  const cause = error.cause === undefined || described !== undefined ? [] : [['cause', error.cause] as const];
  return {
    name: error.name,
    message: redactSecrets(error.message, known),
    ...redactEntries([...fields, ...cause], known, depth, above),
    ...(error.stack === undefined ? {} : { stack: redactSecrets(error.stack, known) }),
  };
}

function redactEntries(
  entries: readonly (readonly [string, unknown])[],
  known: readonly string[],
  depth: number,
  above: Set<object>,
): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of entries.slice(0, MAX_ITEMS)) {
    const hide = typeof value !== 'number' && typeof value !== 'boolean' && isSecretKey(key);
    clean[key] = hide ? REDACTED : redact(value, known, depth + 1, above);
  }
  return clean;
}

function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key) && !NOT_SECRET_KEY.test(key);
}
