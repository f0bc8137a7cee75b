import { readFileSync } from 'node:fs';

/** In the strings, the place of the words that must not leave their fence. */
const PLACE = '{{canary}}';
/** A string that is longer is not copied for each cut. */
const MAX_COPIED = 160;
/** Of a string that is copied, about so many places from end to end, and no two farther apart than a marker is long. */
const CUTS = 6;
const MAX_STEP = 20;
/** Of a longer one, so many places at each end, and so many in between. */
const CUTS_AT_AN_END = 8;
const CUTS_IN_BETWEEN = 8;

/** A text as somebody writes it who wants to be more than text. */
export interface HostileText {
  readonly id: string;
  readonly text: string;
  /** Letters and digits that stand nowhere else; in lower case. */
  readonly canary: string;
}

interface Row {
  readonly id: string;
  readonly text: string;
  readonly times?: number;
  readonly end?: string;
}

// Not imported: bundlers refuse JSON with half of a surrogate pair.
const rows: readonly Row[] = JSON.parse(
  readFileSync(new URL('./hostile-strings.json', import.meta.url), 'utf8'),
);

export const HOSTILE_IDS: readonly string[] = rows.map(({ id }) => id);

/** The strings, each with a canary of its own for this place. */
export function hostileTexts(place: string): readonly HostileText[] {
  return rows.map(({ id, text, times = 1, end = '' }, index) => {
    const canary = `canary${index}x${lettersOf(place)}`;
    return { id, canary, text: `${text.repeat(times)}${end}`.replaceAll(PLACE, canary) };
  });
}

/** All places where a text can be cut into two pieces. */
export function allCutsOf({ length }: string): readonly number[] {
  return Array.from({ length: length - 1 }, (_, index) => index + 1);
}

/** Some of these places, always the same ones: close to both ends, and evenly between them. */
function someCutsOf(text: string): readonly number[] {
  const { length } = text;
  if (length <= MAX_COPIED) {
    const step = Math.min(Math.ceil(length / CUTS), MAX_STEP);
    return allCutsOf(text).filter((at) => at % step === 1 % step || at === length - 1);
  }
  const step = Math.ceil((length - 2 * CUTS_AT_AN_END) / CUTS_IN_BETWEEN);
  return allCutsOf(text).filter(
    (at) => at <= CUTS_AT_AN_END || at >= length - CUTS_AT_AN_END || (at - CUTS_AT_AN_END) % step === 0,
  );
}

/** The pieces of a stream in which the text is whole, and cut at these places, in a copy for each; a long one is cut at all of them at once. */
export function piecesOfCopies(text: string, cuts: readonly number[] = someCutsOf(text)): readonly string[] {
  if (text.length > MAX_COPIED) return [0, ...cuts].map((at, place) => text.slice(at, cuts[place]));
  const copies = cuts.flatMap((at) => [text.slice(0, at), `${text.slice(at)}\n`]);
  return [`${text}\n`, ...copies];
}

function lettersOf(place: string): string {
  return place.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
