import { findLookAlikes } from '@molecule-ai/protocol';
import { fenceRepeatably } from '../peers/repeatable-fence.ts';

const OPENING = /<peer-text-([0-9a-f]{32}) origin="(?:[0-9a-f-]{36}|unknown)">\n/g;
const CLOSING = /\n<\/peer-text-([0-9a-f]{32})>/g;

export interface FenceMarkedTextOptions {
  /** The workspace that the text is of. @default 'unknown' */
  readonly origin?: string | undefined;
}

/**
 * Fences a text of unknown origin, such as the result of another tool, if it contains a boundary marker or what resembles one. A text
 * without them is returned unchanged, and so is what stands inside a fence already: an outcome of a tool of this package stays byte
 * for byte as it is. The same text gives the same bytes each time.
 */
export function fenceMarkedText(text: string, { origin = 'unknown' }: FenceMarkedTextOptions = {}): string {
  if (findLookAlikes(text).length === 0) return text;
  return splitFences(text)
    .map(({ isFenced, piece }) =>
      isFenced || findLookAlikes(piece).length === 0 ? piece : fenceRepeatably(piece, { origin }),
    )
    .join('');
}

interface Piece {
  readonly piece: string;
  readonly isFenced: boolean;
}

/** The text in pieces, those that are a whole fence and those between. One pass over the tags. */
function splitFences(text: string): Piece[] {
  const closings = new Map<string, { start: number; end: number }[]>();
  for (const { index, 0: tag, 1: nonce = '' } of text.matchAll(CLOSING)) {
    const places = closings.get(nonce) ?? [];
    places.push({ start: index, end: index + tag.length });
    closings.set(nonce, places);
  }
  const pieces: Piece[] = [];
  let from = 0;
  for (const { index, 0: tag, 1: nonce = '' } of text.matchAll(OPENING)) {
    if (index < from) continue;
    const places = closings.get(nonce) ?? [];
    // The line break after the opening tag is also the one before the closing tag of an empty text.
    const least = index + tag.length - 1;
    while (places[0] !== undefined && places[0].start < least) places.shift();
    const closing = places[0];
    if (closing === undefined) continue;
    pieces.push({ piece: text.slice(from, index), isFenced: false });
    pieces.push({ piece: text.slice(index, closing.end), isFenced: true });
    from = closing.end;
  }
  pieces.push({ piece: text.slice(from), isFenced: false });
  return pieces.filter(({ piece }) => piece !== '');
}
