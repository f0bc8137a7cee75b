/** Ids, counts and reasons. Never a token, a secret or the text of a message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The logger of the platform: the fields first, then a sentence. A pino logger fits. */
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
