import { findLookAlikes, PEER_BOUNDARY_END, PEER_BOUNDARY_START } from './markers.ts';

/**
 * Marks one text part as a peer's (seed 003, decisions 19 and 20).
 *
 * Every look-alike of a marker inside `text` gets one more backslash after its `[`, so the result has
 * exactly one unescaped opening and one unescaped closing marker whatever the peer wrote, and
 * `stripA2aBoundary(wrapA2aBoundary(x)) === x.trim()` for every string. Linear in the text's length.
 *
 * It tells programs where a peer's text begins and ends. What a model reads goes through
 * `fencePeerText`.
 */
export function wrapA2aBoundary(text: string): string {
  return PEER_BOUNDARY_START + escapeLookAlikes(text) + PEER_BOUNDARY_END;
}

function escapeLookAlikes(text: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (const { start } of findLookAlikes(text)) {
    pieces.push(text.slice(copied, start + 1), '\\');
    copied = start + 1;
  }
  pieces.push(text.slice(copied));
  return pieces.join('');
}
