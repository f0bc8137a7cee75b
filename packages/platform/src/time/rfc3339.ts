const RFC3339 = /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;

/**
 * Milliseconds since the epoch of an RFC 3339 time, a finer fraction rounded up; undefined when it is not one. In a
 * query a plus sign that was not percent-encoded arrives as a space and is read as a plus sign.
 */
export function parseRfc3339(text: string): number | undefined {
  const time = text.replace(/ (?=\d\d:\d\d$)/, '+');
  const [, day, fraction = ''] = RFC3339.exec(time) ?? [];
  const ms = Date.parse(time);
  if (day === undefined || Number.isNaN(ms) || !isDay(day)) return undefined;
  return /[1-9]/.test(fraction.slice(3)) ? ms + 1 : ms;
}

/** `Date.parse` reads 30 February as 2 March. */
function isDay(day: string): boolean {
  const time = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}
