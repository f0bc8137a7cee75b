const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;

/**
 * Milliseconds since the epoch of an RFC 3339 time, a finer fraction rounded up; undefined when it is not one. In a
 * query a plus sign that was not percent-encoded arrives as a space and is read as a plus sign.
 */
export function parseRfc3339(text: string): number | undefined {
  const time = text.replace(/ (?=\d\d:\d\d$)/, '+');
  const match = RFC3339.exec(time);
  const ms = Date.parse(time);
  if (match === null || Number.isNaN(ms)) return undefined;
  return /[1-9]/.test((match[1] ?? '').slice(3)) ? ms + 1 : ms;
}
