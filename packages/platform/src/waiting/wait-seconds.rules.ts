import { ApiError } from '../http/api-error.ts';

/** Longest wait of a feed read or a look at one message, in seconds (decision 13). */
export const MAX_WAIT_SECONDS = 60;

/**
 * Seconds to hold a request, as a whole number within the bounds; undefined when nothing was asked for.
 * Anything else is a 400 naming the field, never a silent default: a caller that asks for a deadline relies on it.
 */
export function parseWaitSeconds(
  text: string | undefined,
  bounds: { readonly field: string; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,4}$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (seconds <= bounds.max) return seconds;
  throw new ApiError(400, 'invalid_request', `${bounds.field} must be whole seconds, 0 to ${bounds.max}`, {
    extras: { field: bounds.field },
  });
}
