import { HttpError } from '../http/http-error.ts';

/** Maximum wait of a feed read or of a request for the state of a message, in seconds. */
export const MAX_WAIT_SECONDS = 60;

/**
 * Seconds to hold a request, a whole number within the bounds; undefined when missing. Anything else is a 400 naming
 * the field and not a default, because a caller relies on the time that it requests.
 */
export function parseWaitSeconds(
  text: string | undefined,
  bounds: { readonly field: string; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,4}$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (seconds <= bounds.max) return seconds;
  throw new HttpError(400, 'invalid_request', `${bounds.field} must be whole seconds, 0 to ${bounds.max}`, {
    extras: { field: bounds.field },
  });
}
