import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const SHORTEST_FRAGMENT = 8;
const MAX_MESSAGE_LENGTH = 500;
const MAX_PEER_TEXT_LENGTH = 65_536;
const MAX_FRAMES = 20;
const MAX_CAUSES = 3;
const HIDDEN = '[text of the message]';

/** An error in plain data for a log line. */
export interface LoggableError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** What to do about it, of errors of this package. */
  readonly hint?: string;
  readonly stack?: string;
  readonly cause?: LoggableError;
}

/**
 * The error of a handler for the log: name, code, message, hint, stack and causes. Whatever it quotes of `peerText`, the
 * text that was handled, is removed: every fragment of 8 characters or more, and a shorter text as a whole, except where it is a part of
 * another word.
 */
export function loggableError(error: unknown, peerText: string, depth = 0): LoggableError {
  const clean = (text: string): string => withoutFragments(text, peerText.slice(0, MAX_PEER_TEXT_LENGTH));
  if (!isError(error)) return { name: 'Error', message: `A ${typeof error} was thrown.` };
  const code: unknown = Reflect.get(error, 'code');
  const hint = MoleculeError.isInstance(error) ? error.hint : undefined;
  const { cause } = error;
  return {
    name: clean(String(error.name)),
    message: clean(String(error.message).slice(0, MAX_MESSAGE_LENGTH)),
    ...(typeof code === 'string' ? { code: clean(code.slice(0, 100)) } : {}),
    ...(typeof hint === 'string' ? { hint: clean(hint.slice(0, MAX_MESSAGE_LENGTH)) } : {}),
    ...(typeof error.stack === 'string' ? { stack: framesOf(error.stack, String(error.message)) } : {}),
    ...(isError(cause) && depth < MAX_CAUSES ? { cause: loggableError(cause, peerText, depth + 1) } : {}),
  };
}

/** The frames only: the message stands in front of them, and its own lines may resemble frames. */
function framesOf(stack: string, message: string): string {
  return stack
    .replace(message, () => '')
    .slice(0, 16_384)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.slice(0, 300))
    .join('\n');
}

/** `text` without the parts that also occur in `peerText`. */
function withoutFragments(text: string, peerText: string): string {
  const shortest = Math.min(SHORTEST_FRAGMENT, peerText.trim().length);
  if (shortest < 3) return text;
  let clean = '';
  for (let start = 0; start < text.length; ) {
    const length = sharedLength(text, start, peerText, shortest);
    const isPartOfWord = shortest < SHORTEST_FRAGMENT && isInWord(text, start, start + length);
    if (length === 0 || isPartOfWord) {
      clean += text[start];
      start += 1;
    } else {
      clean += HIDDEN;
      start += length;
    }
  }
  return clean;
}

/** Whether a letter stands right before or after letters of the range. Scripts without spaces between words have no such letters. */
function isInWord(text: string, start: number, end: number): boolean {
  const isJoined = (at: number) => /^[A-Za-z]{2}$/.test(text.slice(Math.max(0, at - 1), at + 1));
  return isJoined(start) || isJoined(end);
}

/** How many characters of `text` from `start` on occur together in `peerText`; 0 for fewer than `shortest`. */
function sharedLength(text: string, start: number, peerText: string, shortest: number): number {
  if (!peerText.includes(text.slice(start, start + shortest)) || start + shortest > text.length) return 0;
  let length = shortest;
  while (start + length < text.length && peerText.includes(text.slice(start, start + length + 1)))
    length += 1;
  return length;
}
