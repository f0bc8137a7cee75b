/** The first `max` code points; a character is never split. */
export function cutText(text: string, max: number): string {
  // A code point has at most two UTF-16 units, so a long text need not be read to its end.
  const points = [...text.slice(0, max * 2)];
  return points.length <= max && text.length <= max * 2 ? text : points.slice(0, max).join('');
}
