/** The first `max` characters, counted by code point: half a character is no text (wire contract 9, ✗26). */
export function cutText(text: string, max: number): string {
  // A code point takes at most two units, so a longer text need not be walked to its end.
  const points = [...text.slice(0, max * 2)];
  return points.length <= max && text.length <= max * 2 ? text : points.slice(0, max).join('');
}
