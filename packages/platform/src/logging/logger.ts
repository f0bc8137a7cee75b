/** Fields first, then a sentence. Never a token, a secret or a message body (rule: ids and counts only). */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

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
