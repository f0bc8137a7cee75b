import { type LogFields, type Logger, type LogLevel, loggerOf } from '../logging/logger.ts';

/** The latest lines are kept. */
const MAX_LINES = 100_000;

/** One line of a log, as it was given to the logger. */
interface LogLine {
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** A logger that keeps its lines, the latest 100 000, and writes nothing. */
export interface RecordingLogger extends Logger {
  /** In the order in which they were logged. */
  readonly lines: readonly LogLine[];
  /** The texts of the lines, of one level if it is named. */
  messages(level?: LogLevel): string[];
  /** The first line whose text contains this. */
  find(text: string | RegExp, level?: LogLevel): LogLine | undefined;
  /** Forgets all lines. */
  clear(): void;
}

/**
 * Creates a logger for a test.
 *
 * @example
 * const logger = recordingLogger();
 * const client = new RemoteAgentClient({ ...platform, ...workspace, logger });
 * expect(logger.messages('error')).toEqual([]);
 */
export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = [];
  const logger = loggerOf((level, fields, message) => {
    lines.push({ level, fields, message });
    if (lines.length > MAX_LINES) lines.shift();
  });
  const at = (level: LogLevel | undefined) =>
    level === undefined ? lines : lines.filter((line) => line.level === level);
  return {
    ...logger,
    lines,
    messages: (level) => at(level).map(({ message }) => message),
    find: (text, level) =>
      at(level).find(({ message }) =>
        typeof text === 'string' ? message.includes(text) : message.search(text) !== -1,
      ),
    clear: () => void lines.splice(0),
  };
}
