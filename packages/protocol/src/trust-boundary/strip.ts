import { findLookAlikes, PEER_BOUNDARY_END, PEER_BOUNDARY_START } from './markers.ts';

/**
 * Removes the boundary markers around a peer's text, for display (seed 003, decision 21).
 *
 * - `null`, `undefined` and `''` give `''`.
 * - No marker, only one of them, or the end before the start: the input, unchanged.
 * - Otherwise the text between the first start and the last end marker, trimmed, one level of escapes
 *   removed. Text outside the markers is dropped.
 *
 * The result is still a peer's text and as untrusted as before: never hand it to a model as it is
 * (`fencePeerText` does that), never render it as HTML.
 *
 * @throws TypeError when called from JavaScript with something that is neither a string nor falsy.
 */
export function stripA2aBoundary(text: string | null | undefined): string {
  if (!text) return '';
  if (typeof text !== 'string') throw new TypeError('stripA2aBoundary takes a string, null or undefined.');
  const start = text.indexOf(PEER_BOUNDARY_START);
  if (start === -1) return text;
  const from = start + PEER_BOUNDARY_START.length;
  const end = text.lastIndexOf(PEER_BOUNDARY_END);
  if (end < from) return text;
  return unescapeLookAlikes(text.slice(from, end).trim());
}

function unescapeLookAlikes(text: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (const { start, escapes } of findLookAlikes(text)) {
    if (escapes === 0) continue;
    pieces.push(text.slice(copied, start + 1));
    copied = start + 2;
  }
  pieces.push(text.slice(copied));
  return pieces.join('');
}
