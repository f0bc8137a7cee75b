import { pino, stdTimeFunctions } from 'pino';
import type { PlatformLogger } from './logger.ts';

/** From the most to the least verbose. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface JsonLoggerOptions {
  /** Nothing below this level is written. @default 'info' */
  readonly level?: LogLevel | undefined;
  /** Writes one line, which includes its line feed. */
  readonly write: (line: string) => void;
}

/** Writes one JSON object a line: `level` (its name), `time` (ISO 8601, UTC), the fields, `message`. */
export function createJsonLogger({ level = 'info', write }: JsonLoggerOptions): PlatformLogger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    { write },
  );
}
