/** What is known of something that was thrown; other than errors have none of it. */
interface ErrorFacts {
  readonly message: string;
  /** The word of Node, such as `ENOENT`. */
  readonly code: string | undefined;
  /** SQLite's result code. */
  readonly errcode: number | undefined;
  readonly stack: string | undefined;
}

/**
 * Reads an error of Node or of a driver by its properties. Where the platform runs in a realm of its own, as in Jest, such an error
 * is no instance of this realm's `Error`.
 */
export function errorFacts(error: unknown): ErrorFacts {
  const { message, code, errcode, stack } =
    typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  return {
    message: typeof message === 'string' ? message : String(error),
    code: typeof code === 'string' ? code : undefined,
    errcode: typeof errcode === 'number' ? errcode : undefined,
    stack: typeof stack === 'string' ? stack : undefined,
  };
}
