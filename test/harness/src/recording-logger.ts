/** One line of a log. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export type RecordingLogger = { readonly lines: LogLine[] } & Readonly<Record<LogLine['level'], Write>>;

/** A logger that keeps its lines. */
export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = [];
  const write =
    (level: LogLine['level']): Write =>
    (fields, message) =>
      void lines.push({ level, message, fields });
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
