import { createMarkerScanner, type MarkerScan, type TextStage } from '@molecule-ai/protocol';

/** A tag of a fence, with the line break between it and the fenced text. It contains one `<`, its first character or the one after the line break. */
const TAG =
  /<peer-text-[0-9a-f]{32}(?: origin="(?:unknown|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")?>\n?|\n?<\/peer-text-[0-9a-f]{32}>/gi;
const TAG_ONLY = new RegExp(`^(?:${TAG.source})$`, 'i');

const DIGITS = '0'.repeat(32);
const UUID = '00000000-0000-0000-0000-000000000000';
/** One tag of each form. */
const EXAMPLES = [
  `<peer-text-${DIGITS}>\n`,
  `<peer-text-${DIGITS} origin="unknown">\n`,
  `<peer-text-${DIGITS} origin="${UUID}">\n`,
  `</peer-text-${DIGITS}>`,
  `\n</peer-text-${DIGITS}>`,
];

/**
 * The text for a person or a program, without boundary markers and without the exact tags of fences; all other words stay. For what a
 * model or a peer wrote, which may repeat the marks that it has read. The result is as untrusted as before.
 *
 * Markers are those that are not escaped, in any spelling of a look-alike. What becomes a marker because one inside it was removed
 * gets a backslash. `stripA2aBoundary` is for a text that the platform wrapped; it drops what is outside the markers.
 */
export function plainPeerText(text: string): string {
  const plain = createPlainText();
  return plain.push(text) + plain.end();
}

export interface PlainTextOptions {
  /** Whether tags of fences stay: for the answer of a model that the same model reads again. @default false */
  readonly keepFences?: boolean | undefined;
}

/**
 * {@link plainPeerText} for a text that arrives in pieces: however it is cut, the result is that of the whole text. Held back is only
 * what may still become a tag or a marker.
 */
export function createPlainText({ keepFences = false }: PlainTextOptions = {}): TextStage {
  // Tags first, because a marker may be whole only after a tag in it was removed.
  const tags = keepFences ? undefined : new TagRemover();
  const given = createMarkerScanner();
  const joined = createMarkerScanner();
  const withoutMarkers = (scan: MarkerScan): string =>
    replaceMarkers(joined.push(replaceMarkers(scan, '')), '[\\');
  return {
    push: (piece) => withoutMarkers(given.push(tags?.push(piece) ?? piece)),
    end: () =>
      withoutMarkers(given.push(tags?.end() ?? '')) +
      withoutMarkers(given.end()) +
      replaceMarkers(joined.end(), '[\\'),
  };
}

/** @param bracket what its `[` becomes; with `''` the marker is removed */
function replaceMarkers({ text, lookAlikes }: MarkerScan, bracket: string): string {
  let replaced = '';
  let copied = 0;
  for (const { start, end, escapes } of lookAlikes) {
    if (escapes > 0) continue;
    replaced += text.slice(copied, start) + bracket;
    copied = bracket === '' ? end : start + 1;
  }
  return copied === 0 ? text : replaced + text.slice(copied);
}

class TagRemover implements TextStage {
  #held = '';

  push(piece: string): string {
    const text = this.#held + piece;
    let kept = '';
    let copied = 0;
    for (const { index, 0: tag } of text.matchAll(TAG)) {
      kept += text.slice(copied, index);
      copied = index + tag.length;
      // Its line break may be in the next piece.
      if (copied === text.length && tag.endsWith('>') && !tag.includes('/')) copied = index;
    }
    const from = copied + beginningOfTag(text.slice(copied));
    this.#held = text.slice(from);
    return kept + text.slice(copied, from);
  }

  end(): string {
    const rest = this.#held.replace(TAG, '');
    this.#held = '';
    return rest;
  }
}

/** The index at which a tag may begin that the next piece continues; the length of the text for none. */
function beginningOfTag(text: string): number {
  const bracket = text.lastIndexOf('<');
  const places = bracket === -1 ? [text.length - 1] : [bracket - 1, bracket, text.length - 1];
  return places.find((at) => at >= 0 && mayBecomeTag(text.slice(at))) ?? text.length;
}

function mayBecomeTag(text: string): boolean {
  return EXAMPLES.some((tag) => text.length < tag.length && TAG_ONLY.test(text + tag.slice(text.length)));
}
