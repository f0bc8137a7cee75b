/** Ids, counts and reasons. Never a token, a secret or the text of a message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Where the platform logs to: the fields first, then a sentence. A pino logger is one. */
export interface PlatformLogger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const silentLogger: PlatformLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
