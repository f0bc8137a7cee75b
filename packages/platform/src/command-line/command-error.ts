import { errorFacts } from '../foreign-error.ts';
import { printable } from '../foreign-text.ts';

/** Exit codes of the bin; 0 is success. */
export const FAILED = 1;
export const WRONG_OPTIONS = 2;

/** Why a command ends without its result: the cause in one sentence, and what to do about it in another. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly hint: string;
  readonly exitCode: number;

  constructor(message: string, { hint, exitCode = FAILED }: { hint: string; exitCode?: number }) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** An error that no code expected, in one line. Its stack is for `--log-level debug`. */
export function describeUnexpected(error: unknown, withStack: boolean): string {
  const { message, stack } = errorFacts(error);
  if (withStack && stack !== undefined) return `Unexpected error: ${stack}`;
  return `Unexpected error: ${printable(message)}\nRun it again with --log-level debug to see where it happens.`;
}
