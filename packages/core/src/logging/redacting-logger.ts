import { redactSecrets } from '../errors/redact-secrets.ts';
import type { LogFields, Logger, LogLevel } from './logger.ts';

const REDACTED = '[redacted]';
const SECRET_KEY = /token|secret|authorization|password|passwd|api[_-]?key|cookie|credential/i;
const HARMLESS_KEY = /^(?:.*token(?:s|_?count|_?id|_?prefix)|.*secret_?(?:names|keys|count))$/i;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/** A {@link Logger} that removes credentials from all it passes on. */
export interface RedactingLogger extends Logger {
  /** Adds a secret whose value is removed from every later line. Shorter than 4 characters is ignored. */
  addSecret(secret: string): void;
}

/**
 * Wraps a logger so that no credential reaches it: values of keys that name a token, secret, authorization,
 * password, key or cookie; bearer values and platform tokens in any text; and each value given to `addSecret`.
 * A logger that throws cannot break its caller.
 */
export function redactingLogger(target: Logger, secrets: Iterable<string> = []): RedactingLogger {
  const known = new Set<string>();
  const addSecret = (secret: string): void => {
    if (secret.length >= 4) known.add(secret);
  };
  for (const secret of secrets) addSecret(secret);
  const write = (level: LogLevel, fields: LogFields, message: string): void => {
    try {
      target[level](redactFields(fields, known) as LogFields, redactSecrets(message, known));
    } catch {
      // A broken logger must not break the work it describes.
    }
  };
  return {
    addSecret,
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}

/** A copy of `value` without credentials: by key, by pattern, and by the texts of `known`. Never throws. */
export function redactFields(value: unknown, known: Iterable<string>): unknown {
  return redact(value, [...known], 0, new Set());
}

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
    if (value instanceof Error) return redactError(value, known, depth, above);
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
  return SECRET_KEY.test(key) && !HARMLESS_KEY.test(key);
}
