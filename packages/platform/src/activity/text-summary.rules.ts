import { toColumnText } from '@molecule-ai/protocol';

/**
 * The first `max` code points of what an agent wrote, as a column can hold them: a character is never split, and what
 * no column holds becomes U+FFFD.
 */
export function cutText(text: string, max: number): string {
  // A code point has at most two UTF-16 units, so a long text need not be read to its end.
  const points = [...text.slice(0, max * 2)];
  const isShort = points.length <= max && text.length <= max * 2;
  return toColumnText(isShort ? text : points.slice(0, max).join(''));
}
