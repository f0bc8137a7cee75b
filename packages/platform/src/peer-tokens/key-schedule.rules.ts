/** How long a key signs, in milliseconds. */
export const SIGNS_FOR_MS = 24 * 3_600_000;
/** A key is published for so long before it signs and after its successor has taken over. */
export const OVERLAP_MS = 10 * 60_000;
/** A key that starts later than any that was made now was made while the clock was wrong. */
const CLOCK_TOLERANCE_MS = 60_000;

/** When a key begins to sign; its generation is its place in the list, the oldest first. */
export interface ScheduledKey {
  readonly startsAt: number;
  /** Whether its private part can be read. */
  readonly canSign: boolean;
}

/** The key that signs now: the newest that has started. After a clock was set back, the oldest one that can sign. */
export function signingKey<Key extends ScheduledKey>(keys: readonly Key[], now: number): Key | undefined {
  const usable = keys.filter(({ canSign }) => canSign);
  return usable.findLast(({ startsAt }) => startsAt <= now) ?? usable[0];
}

/** The keys by which a token that is valid now may have been signed, and those that will sign next. */
export function publishedKeys<Key extends ScheduledKey>(keys: readonly Key[], now: number): Key[] {
  return keys.filter((_key, index) => {
    const successor = keys.slice(index + 1).find(({ canSign }) => canSign);
    return successor === undefined || now < successor.startsAt + OVERLAP_MS;
  });
}

/**
 * When a new key has to be made and when it starts: at once if none can sign, otherwise so much before the newest has
 * signed for a day that every verifier has read the new one by then. The first never signs later than `now`.
 */
export function nextKey(
  keys: readonly ScheduledKey[],
  now: number,
): { readonly dueAt: number; readonly startsAt: number } {
  const newest = keys.findLast(({ canSign }) => canSign);
  if (newest === undefined) return { dueAt: now, startsAt: now };
  const startsAt = now + OVERLAP_MS;
  if (newest.startsAt > startsAt + CLOCK_TOLERANCE_MS) return { dueAt: now, startsAt };
  return { dueAt: newest.startsAt + SIGNS_FOR_MS - OVERLAP_MS, startsAt };
}
