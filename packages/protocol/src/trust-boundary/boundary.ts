import { findLookAlikes, type LookAlike } from './look-alikes.ts';

/** Opens a peer's text on the wire. Matched case-sensitively. See docs/contract/trust-boundary.md#markers. */
export const PEER_BOUNDARY_START = '[A2A_RESULT_FROM_PEER]';

/** Closes a peer's text on the wire. Matched case-sensitively. */
export const PEER_BOUNDARY_END = '[/A2A_RESULT_FROM_PEER]';

/**
 * Marks one text part as a peer's.
 *
 * Every look-alike of a marker inside `text` gets one more backslash after its `[`, so the result has
 * exactly one unescaped opening and one unescaped closing marker whatever the peer wrote, and
 * `stripA2aBoundary(wrapA2aBoundary(x)) === x.trim()` for every string. Linear in the text's length.
 *
 * The markers show programs where a peer's text begins and ends. A model reads a peer's text only through
 * `fencePeerText`. See docs/contract/trust-boundary.md.
 */
export function wrapA2aBoundary(text: string): string {
  return PEER_BOUNDARY_START + escapeLookAlikes(text) + PEER_BOUNDARY_END;
}

/** Adds one backslash to each look-alike of a marker; the same string when there is none. */
export function escapeLookAlikes(text: string): string {
  return text.includes('[') ? escapeFound(text, findLookAlikes(text)) : text;
}

/** The same for look-alikes that were found before. */
export function escapeFound(text: string, lookAlikes: readonly Pick<LookAlike, 'start'>[]): string {
  // Concatenated, because joining a million slices takes ten times as long.
  let escaped = '';
  let copied = 0;
  for (const { start } of lookAlikes) {
    escaped += `${text.slice(copied, start + 1)}\\`;
    copied = start + 1;
  }
  return copied === 0 ? text : escaped + text.slice(copied);
}

/**
 * Removes the boundary markers around a peer's text, for display.
 *
 * - `null`, `undefined` and `''` become `''`.
 * - No marker, only one of them, or the end before the start: the input, unchanged.
 * - Otherwise the text between the first start and the last end marker, trimmed, one level of escapes
 *   removed. Text outside the markers is dropped.
 *
 * The result is still a peer's text and as untrusted as before: never pass it to a model unfenced (use
 * `fencePeerText`), never render it as HTML.
 *
 * @throws TypeError when called from JavaScript with something that is neither a string nor falsy.
 */
export function stripA2aBoundary(text: string | null | undefined): string {
  if (!text) return '';
  if (typeof text !== 'string') throw new TypeError('stripA2aBoundary expects a string, null or undefined.');
  const start = text.indexOf(PEER_BOUNDARY_START);
  if (start === -1) return text;
  const from = start + PEER_BOUNDARY_START.length;
  const end = text.lastIndexOf(PEER_BOUNDARY_END);
  if (end < from) return text;
  return unescapeLookAlikes(text.slice(from, end).trim());
}

/** Undoes {@link escapeLookAlikes}: removes one backslash from each escaped look-alike. */
export function unescapeLookAlikes(text: string): string {
  let unescaped = '';
  let copied = 0;
  for (const { start, escapes } of findLookAlikes(text)) {
    if (escapes === 0) continue;
    unescaped += text.slice(copied, start + 1);
    copied = start + 2;
  }
  return copied === 0 ? text : unescaped + text.slice(copied);
}
