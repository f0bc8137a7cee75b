const MARKER_NAME = 'A2A_RESULT_FROM_PEER';

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const CLOSE_BRACKET = 0x5d;

/** A piece of text that a reader could mistake for a boundary marker. */
export interface LookAlike {
  readonly kind: 'open' | 'close';
  /** Index of its `[`, in UTF-16 code units. */
  readonly start: number;
  /** Index after its `]`. */
  readonly end: number;
  /** How many backslashes follow its `[`; 0 means it is not escaped. */
  readonly escapes: number;
}

/**
 * Finds every look-alike of a boundary marker, in order: `[`, any backslashes, any white space, an
 * optional `/`, white space, the name in any ASCII letter case, white space, `]`.
 * See docs/contract/trust-boundary.md#look-alikes.
 */
export function findLookAlikes(text: string): readonly LookAlike[] {
  return text.includes('[') ? createMarkerScanner().push(text).lookAlikes : [];
}

/** What a scanner releases: the next piece of the stream, and the look-alikes in it. */
export interface MarkerScan {
  /** Contains look-alikes only as a whole; `''` while everything is held back. */
  readonly text: string;
  /** Indexes count from the start of `text`. */
  readonly lookAlikes: readonly LookAlike[];
}

/** Finds the look-alikes of boundary markers in a text that arrives in pieces. */
export interface MarkerScanner {
  /** Takes the next piece of the stream. Held back is only what may still become a look-alike. */
  push(piece: string): MarkerScan;
  /** Releases what was held back; the stream has ended, so it is not a look-alike. */
  end(): MarkerScan;
}

/**
 * Creates a scanner for one stream. However the stream is cut, the texts that it releases are the whole text, and their
 * look-alikes are those that {@link findLookAlikes} finds in it.
 *
 * One forward scan. A look-alike contains exactly one `[`, its first character, so the text that a failed
 * attempt has read cannot start another one: the scan continues where the attempt failed, and reads each
 * character a constant number of times.
 */
export function createMarkerScanner(): MarkerScanner {
  let attempt: Attempt | undefined;
  let held: string[] = [];

  const takeHeld = (): string => {
    const text = held.join('');
    held = [];
    attempt = undefined;
    return text;
  };

  return {
    push(piece) {
      const lookAlikes: LookAlike[] = [];
      let before = '';
      let at = 0;
      if (attempt !== undefined) {
        const open = attempt;
        at = open.read(piece, 0);
        if (open.state === 'open') {
          held.push(piece);
          return { text: '', lookAlikes };
        }
        before = takeHeld();
        if (open.state === 'matched') lookAlikes.push(open.found(0, before.length + at));
      }
      let released = piece.length;
      for (let start = piece.indexOf('[', at); start !== -1; start = piece.indexOf('[', at)) {
        const next = new Attempt();
        at = next.read(piece, start + 1);
        if (next.state === 'open') {
          attempt = next;
          held.push(piece.slice(start));
          released = start;
          break;
        }
        if (next.state === 'matched') lookAlikes.push(next.found(before.length + start, before.length + at));
      }
      return { text: before + piece.slice(0, released), lookAlikes };
    },
    end: () => ({ text: takeHeld(), lookAlikes: [] }),
  };
}

/** Reads what follows one `[`. Can stop after any character and continue with the next piece of the text. */
class Attempt {
  state: 'open' | 'matched' | 'failed' = 'open';
  #escapes = 0;
  #mayEscape = true;
  #isClose = false;
  /** Number of characters of the name that were read. */
  #matched = 0;

  /** Reads from `from`; returns the index after the match, of the character that does not fit, or the text's length. */
  read(text: string, from: number): number {
    for (let at = from; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (this.#matched === MARKER_NAME.length && code === CLOSE_BRACKET) {
        this.state = 'matched';
        return at + 1;
      }
      if (!this.#accepts(code)) {
        this.state = 'failed';
        return at;
      }
    }
    return text.length;
  }

  found(start: number, end: number): LookAlike {
    return { kind: this.#isClose ? 'close' : 'open', start, end, escapes: this.#escapes };
  }

  #accepts(code: number): boolean {
    if (this.#matched === MARKER_NAME.length) return isWhiteSpace(code);
    if (foldAscii(code) === MARKER_NAME.charCodeAt(this.#matched)) {
      this.#matched += 1;
      return true;
    }
    if (this.#matched > 0) return false;
    if (code === BACKSLASH && this.#mayEscape) {
      this.#escapes += 1;
      return true;
    }
    this.#mayEscape = false;
    if (code !== SLASH) return isWhiteSpace(code);
    const isFirst = !this.#isClose;
    this.#isClose = true;
    return isFirst;
  }
}

/** Upper-cases a-z and nothing else: Unicode folding would turn U+017F into `S` and U+0131 into `I`. */
function foldAscii(code: number): number {
  return code >= 0x61 && code <= 0x7a ? code - 0x20 : code;
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
