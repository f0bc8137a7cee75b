/** Opens a peer's text on the wire. Matched case-sensitively. See docs/contract/trust-boundary.md#markers. */
export const PEER_BOUNDARY_START = '[A2A_RESULT_FROM_PEER]';

/** Closes a peer's text on the wire. Matched case-sensitively. */
export const PEER_BOUNDARY_END = '[/A2A_RESULT_FROM_PEER]';

const MARKER_NAME = 'A2A_RESULT_FROM_PEER';

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const CLOSE_BRACKET = 0x5d;

/** A piece of text that a reader could mistake for a marker. */
interface LookAlike {
  /** Index of its `[`, in UTF-16 code units. */
  start: number;
  /** How many backslashes follow its `[`; 0 means it is not escaped. */
  escapes: number;
}

/**
 * Finds every look-alike of a boundary marker, in order: `[`, any backslashes, any white space, an
 * optional `/`, white space, the name in any ASCII letter case, white space, `]`.
 *
 * One forward scan. A look-alike contains exactly one `[`, its first character, so the text that a failed
 * attempt has read cannot start another one: the scan continues where the attempt failed, and reads each
 * character a constant number of times.
 */
function findLookAlikes(text: string): LookAlike[] {
  const found: LookAlike[] = [];
  let start = text.indexOf('[');
  while (start !== -1) {
    let at = start + 1;
    while (text.charCodeAt(at) === BACKSLASH) at += 1;
    const escapes = at - start - 1;
    at = skipWhiteSpace(text, at);
    if (text.charCodeAt(at) === SLASH) at = skipWhiteSpace(text, at + 1);
    const matched = countMatchedName(text, at);
    at += matched;
    if (matched === MARKER_NAME.length) {
      at = skipWhiteSpace(text, at);
      if (text.charCodeAt(at) === CLOSE_BRACKET) {
        found.push({ start, escapes });
        at += 1;
      }
    }
    start = text.indexOf('[', at);
  }
  return found;
}

/** The number of leading characters of the marker's name at `at`, in any ASCII letter case. */
function countMatchedName(text: string, at: number): number {
  let matched = 0;
  while (
    matched < MARKER_NAME.length &&
    foldAscii(text.charCodeAt(at + matched)) === MARKER_NAME.charCodeAt(matched)
  ) {
    matched += 1;
  }
  return matched;
}

/** Upper-cases a-z and nothing else: Unicode folding would turn U+017F into `S` and U+0131 into `I`. */
function foldAscii(code: number): number {
  return code >= 0x61 && code <= 0x7a ? code - 0x20 : code;
}

function skipWhiteSpace(text: string, from: number): number {
  let at = from;
  while (isWhiteSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** The same set as `\s` and `String.prototype.trim`; every member is one UTF-16 code unit. */
function isWhiteSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0xa0) return false;
  return (
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

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
