/** Opens a peer's text on the wire, exactly as printed in seed 003. Matched case-sensitively. */
export const PEER_BOUNDARY_START = '[A2A_RESULT_FROM_PEER]';

/** Closes a peer's text on the wire, exactly as printed in seed 003. Matched case-sensitively. */
export const PEER_BOUNDARY_END = '[/A2A_RESULT_FROM_PEER]';

const MARKER_NAME = 'A2A_RESULT_FROM_PEER';

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const CLOSE_BRACKET = 0x5d;

/** A stretch of text that a reader could take for a marker (decision 20). */
export interface LookAlike {
  /** Index of its `[`, in UTF-16 code units. */
  start: number;
  /** How many backslashes follow its `[`; 0 means it is not escaped. */
  escapes: number;
}

/**
 * Finds every look-alike of a boundary marker, in order: `[`, any backslashes, any white space, an
 * optional `/`, white space, the name in any ASCII letter case, white space, `]` (decision 20).
 *
 * One forward scan. A look-alike holds exactly one `[`, its first character, so whatever a failed
 * attempt has read cannot start another one: the scan goes on where the attempt failed, and looks at
 * each character a constant number of times.
 */
export function findLookAlikes(text: string): LookAlike[] {
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

/** How many leading characters of the marker's name stand at `at`, in any ASCII letter case. */
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
