/** Structured fields of one log line. Errors are passed as `error`. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * The logger of this package: four methods, fields first, as in pino. Message text and credentials are never logged.
 *
 * @example
 * logger.info({ workspaceId, attempt: 2 }, 'Registering again.');
 */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Lowest first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Of a level that a logger does not write: its lines are not prepared. */
export function writeNothing(): void {}

/** A logger that writes each line by one function. */
export function loggerOf(write: (level: LogLevel, fields: LogFields, message: string) => void): Logger {
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}

/** Adds `fields` to every line; fields of the line take precedence. */
export function childLogger(logger: Logger, fields: LogFields): Logger {
  return loggerOf((level, own, message) => logger[level]({ ...fields, ...own }, message));
}

/** Writes nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: writeNothing,
  info: writeNothing,
  warn: writeNothing,
  error: writeNothing,
});
