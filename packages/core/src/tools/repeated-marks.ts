import { createMarkerRemover } from '@molecule-ai/protocol';

/** A tag of a fence, with the line break between it and the fenced text. It contains one `<`, its first character or the one after the line break. */
const TAG =
  /<peer-text-[0-9a-f]{32}(?: origin="(?:unknown|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")?>\n?|\n?<\/peer-text-[0-9a-f]{32}>/gi;

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
const TAG_ONLY = new RegExp(`^(?:${TAG.source})$`, 'i');

/** Removes something from a text that arrives in pieces. */
export interface MarkRemover {
  /** Takes the next piece, and returns what has become certain. */
  push(piece: string): string;
  /** Returns what was held back; the text has ended. */
  end(): string;
}

/**
 * Removes from an answer of a model what it repeated of the marks around texts of peers: the tags of fences, and the boundary
 * markers as `removeBoundaryMarkers` does. All other words stay. For people and other agents; what a model reads keeps its fences.
 */
export function removeRepeatedMarks(text: string): string {
  const remover = createRepeatedMarkRemover();
  return remover.push(text) + remover.end();
}

/**
 * {@link removeRepeatedMarks} for an answer that arrives in pieces: however it is cut, the result is that of the whole answer. Held
 * back is only what may still become a mark.
 */
export function createRepeatedMarkRemover(): MarkRemover {
  const tags = new FenceTagRemover();
  // Second, because a marker may be whole only after a tag in it was removed.
  const markers = createMarkerRemover();
  return {
    push: (piece) => markers.push(tags.push(piece)),
    end: () => markers.push(tags.end()) + markers.end(),
  };
}

class FenceTagRemover implements MarkRemover {
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
