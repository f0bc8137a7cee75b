import { randomUUID } from 'node:crypto';
import type { Clock } from '../time/clock.ts';

/**
 * A new UUID that starts with the time (version 7, RFC 9562). Rows that are written together are then adjacent in the
 * index of their ids, and a commit writes one page of it rather than one for each row. For rows with a high write
 * rate; an id that must not reveal its time stays random.
 */
export function orderedId(clock: Clock): string {
  const time = Math.trunc(clock.now()).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${randomUUID().slice(15)}`;
}
