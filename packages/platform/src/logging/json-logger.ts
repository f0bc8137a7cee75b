import type { LogFields, PlatformLogger } from './logger.ts';

/** From the chattiest to silence. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface JsonLoggerOptions {
  /** Nothing below this level is written. */
  readonly level: LogLevel;
  /** Takes one line, its line feed included. */
  readonly write: (line: string) => void;
  readonly now: () => number;
}

/** Writes one JSON object a line: time, level and message first, then the fields. */
export function createJsonLogger({ level, write, now }: JsonLoggerOptions): PlatformLogger {
  const threshold = LOG_LEVELS.indexOf(level);
  const writer = (name: Exclude<LogLevel, 'silent'>) => {
    if (LOG_LEVELS.indexOf(name) < threshold) return () => {};
    return (fields: LogFields, message: string) => {
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level: name, message, ...fields })}\n`);
    };
  };
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') };
}
