const nothing = (): void => {};

/** Structured facts of one log line. Errors may be passed under `error`. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where this package writes its log: four methods, fields first. `pino` and `winston`-like loggers fit as they
 * are. Message bodies and credentials are never passed to it.
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

/** The levels of {@link Logger}, lowest first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A logger that adds `fields` to every line; a line's own fields win. */
export function childLogger(logger: Logger, fields: LogFields): Logger {
  return {
    debug: (own, message) => logger.debug({ ...fields, ...own }, message),
    info: (own, message) => logger.info({ ...fields, ...own }, message),
    warn: (own, message) => logger.warn({ ...fields, ...own }, message),
    error: (own, message) => logger.error({ ...fields, ...own }, message),
  };
}

/** The default: nothing is written unless a logger is given. */
export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
});
