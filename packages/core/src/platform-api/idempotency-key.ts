import crypto from 'node:crypto';
import { invalidArgument } from '../errors/molecule-error.ts';

export interface IdempotencyKeyOptions {
  /** Unix time in milliseconds. @default now */
  atMs?: number | undefined;
  /**
   * Includes the target in the key, so that the same text for two targets is two tasks. Without it, the key is the same
   * as the Python SDK's.
   */
  targetId?: string | undefined;
}

/**
 * Returns the SHA-256 of `<task>:<minute>` in lower-case hex, with the minute as Unix seconds: the same text within a clock
 * minute has the same key. To repeat a call later, store the key and pass it again.
 * @throws MoleculeError `invalid_argument` for text that is not valid Unicode.
 */
export function makeIdempotencyKey(task: string, options: IdempotencyKeyOptions = {}): string {
  const seconds = Math.trunc((options.atMs ?? Date.now()) / 1_000);
  const minute = Math.floor(seconds / 60) * 60;
  const scope = options.targetId === undefined ? '' : `${options.targetId.toLowerCase()}:`;
  const text = `${scope}${task}:${minute}`;
  if (text.isWellFormed()) return crypto.hash('sha256', text);
  throw invalidArgument('The text is not valid Unicode: it contains half of a surrogate pair.');
}

/** The first digit of the fourth group of a UUID, by its last two bits. */
const VARIANTS = '89ab';

/**
 * Returns a UUID derived from the input only. As the message id of a reply it ensures that a message handled twice is
 * answered once.
 */
export function deriveUuid(...input: readonly string[]): string {
  const hex = crypto.hash('sha256', JSON.stringify(input));
  const variant = VARIANTS.charAt(Number.parseInt(hex.charAt(16), 16) % VARIANTS.length);
  const [first, second, fourth] = [hex.slice(0, 8), hex.slice(8, 12), `${variant}${hex.slice(17, 20)}`];
  return `${first}-${second}-8${hex.slice(13, 16)}-${fourth}-${hex.slice(20, 32)}`;
}

/**
 * Returns a message id, a UUID, that depends on the workspace that sends and on the key only, in every process. Sending another text
 * or to another peer with the same id is refused.
 * @throws MoleculeError `invalid_argument` for a blank key.
 */
export function deriveMessageId(workspaceId: string, key: string): string {
  if (typeof key !== 'string' || key.trim() === '') {
    throw invalidArgument('The key of a message id must not be blank.');
  }
  return deriveUuid('message', workspaceId, key);
}
