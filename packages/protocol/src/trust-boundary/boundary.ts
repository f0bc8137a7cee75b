import { createMarkerScanner, findLookAlikes, type LookAlike, type MarkerScan } from './look-alikes.ts';

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
  return escapeFound(text, findLookAlikes(text));
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

/** Changes a text that arrives in pieces. The pieces that it returns, joined, are the changed text. */
export interface TextStage {
  /** Takes the next piece. Returns what can no longer change, `''` while everything is held back. */
  push(piece: string): string;
  /** Returns what was held back. Nothing is pushed after it. */
  end(): string;
}

/**
 * {@link wrapA2aBoundary} for a text that arrives in pieces: however it is cut, the result is that of the whole text. Held back is
 * only what may still become a look-alike of a marker. `end` closes the marker, so call it however the text ends.
 */
export function createBoundaryWrapper(): TextStage {
  const scanner = createMarkerScanner();
  let opening = PEER_BOUNDARY_START;
  const release = (scan: MarkerScan): string => {
    const released = opening + escapeFound(scan.text, scan.lookAlikes);
    opening = '';
    return released;
  };
  return {
    push: (piece) => release(scanner.push(piece)),
    end: () => release(scanner.end()) + PEER_BOUNDARY_END,
  };
}

/**
 * {@link stripA2aBoundary} for a wrapped text that arrives in pieces: however it is cut, the result is that of the whole text. Held
 * back is only what may still become a look-alike of a marker or the marker itself, and white space at the end. The start
 * marker is removed also when no end marker follows. A text that does not begin with the start marker is passed on
 * unchanged.
 *
 * The result is as untrusted as before: see {@link stripA2aBoundary}.
 */
export function createBoundaryStripper(): TextStage {
  let head = '';
  let inner: TextStage | undefined;
  return {
    push(piece) {
      if (inner !== undefined) return inner.push(piece);
      head += piece;
      if (head.length < PEER_BOUNDARY_START.length && PEER_BOUNDARY_START.startsWith(head)) return '';
      const isWrapped = head.startsWith(PEER_BOUNDARY_START);
      inner = isWrapped ? new InnerText() : UNCHANGED;
      return inner.push(isWrapped ? head.slice(PEER_BOUNDARY_START.length) : head);
    },
    end: () => (inner === undefined ? head : inner.end()),
  };
}

const UNCHANGED: TextStage = { push: (piece) => piece, end: () => '' };

/** What follows the start marker: trimmed, up to the last end marker, one level of escapes removed. */
class InnerText implements TextStage {
  readonly #scanner = createMarkerScanner();
  /** Whether anything but white space has been released. */
  #hasBegun = false;
  /** White space that is dropped unless more follows. */
  #space = '';
  /** The text from an end marker on, which is inside only when another end marker follows. `null` before the first. */
  #after: string | null = null;

  push(piece: string): string {
    return this.#take(this.#scanner.push(piece));
  }

  end(): string {
    const released = this.#take(this.#scanner.end());
    this.#space = '';
    return released;
  }

  #take({ text, lookAlikes }: MarkerScan): string {
    let released = '';
    let inside = '';
    let copied = 0;
    for (const { start, end, escapes } of lookAlikes) {
      if (escapes > 0) {
        inside += text.slice(copied, start + 1);
        copied = start + 2;
      } else if (text.slice(start, end) === PEER_BOUNDARY_END) {
        released += this.#release((this.#after ?? '') + inside + text.slice(copied, start));
        this.#after = PEER_BOUNDARY_END;
        inside = '';
        copied = end;
      }
    }
    inside += text.slice(copied);
    if (this.#after === null) return released + this.#release(inside);
    this.#after += inside;
    return released;
  }

  /** Without the white space around the whole. */
  #release(text: string): string {
    const given = this.#hasBegun ? text : text.trimStart();
    if (given === '') return '';
    this.#hasBegun = true;
    const kept = given.trimEnd();
    if (kept === '') {
      this.#space += given;
      return '';
    }
    const released = this.#space + kept;
    this.#space = given.slice(kept.length);
    return released;
  }
}
