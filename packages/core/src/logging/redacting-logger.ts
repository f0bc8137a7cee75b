import { redactSecrets } from '../errors/redact-secrets.ts';
import type { LogFields, Logger, LogLevel } from './logger.ts';
import { redactFields } from './redact-fields.ts';

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
