const SECONDS = /^\d{1,12}(?:\.\d{1,12})?$/;
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const HTTP_DATE = new RegExp(
  `^(?:[A-Z][a-z]{2,8}, \\d{2}[ -]${MONTH}[ -]\\d{2,4} \\d{2}:\\d{2}:\\d{2} GMT|[A-Z][a-z]{2} ${MONTH} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4})$`,
);

/**
 * Reads a `Retry-After` header: seconds (fractions rounded up to whole seconds) or an HTTP date, relative to
 * `nowMs`. Returns milliseconds greater than 0, or `undefined` for absent, 0, negative, past or unreadable
 * values (decision 18).
 */
export function parseRetryAfter(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (SECONDS.test(text)) {
    const ms = Math.ceil(Number(text)) * 1_000;
    return ms > 0 ? ms : undefined;
  }
  if (!HTTP_DATE.test(text)) return undefined;
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) - nowMs;
  return ms > 0 ? ms : undefined;
}
