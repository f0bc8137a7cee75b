import { MoleculeError } from '../errors/molecule-error.ts';
import { numberProblem } from '../settings/checked-values.ts';

/** What a caller of `callPeer` and its like gives; programs without types may give anything. */
interface CallArguments {
  readonly targetId: string;
  readonly text: string;
  readonly metadata?: unknown;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws MoleculeError `invalid_argument` naming the value. */
export function checkCallArguments({ targetId, text, metadata, timeoutMs, signal }: CallArguments): void {
  const problem =
    stringProblem('The id of the workspace to send to', targetId) ??
    stringProblem('The text of a message', text) ??
    (isJson(metadata) ? null : '`metadata` must be an object that JSON can express.') ??
    (timeoutMs === undefined ? null : numberProblem('`timeoutMs`', timeoutMs, { min: 1, isInteger: true })) ??
    (signal === undefined || isSignal(signal) ? null : '`signal` must be an AbortSignal.');
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
}

function stringProblem(what: string, value: unknown): string | null {
  if (typeof value !== 'string')
    return `${what} must be a string, not ${value === null ? 'null' : typeof value}.`;
  return value.trim() === '' ? `${what} must not be blank.` : null;
}

/** `false` for a value that refers to itself, or has a bigint in it. */
function isJson(value: unknown): boolean {
  if (value === undefined) return true;
  try {
    return typeof value === 'object' && value !== null && JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

/** Also one of another realm, or of a library. */
function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return (
    typeof Reflect.get(value, 'aborted') === 'boolean' &&
    typeof Reflect.get(value, 'addEventListener') === 'function'
  );
}
