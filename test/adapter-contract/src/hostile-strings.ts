import { readFileSync } from 'node:fs';

/** In the strings, the place of the words that must not leave their fence. */
const PLACE = '{{canary}}';
/** Up to this length, a string is cut at each position of a stream. */
const CUT_EVERYWHERE = 160;
/** Of a longer one, so many positions from each end, and so many in between. */
const CUTS_AT_AN_END = 40;
const CUTS_IN_BETWEEN = 40;

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

/** Where a stream of the text is cut into two pieces: everywhere, or at samples of a long text. */
function cutsOf({ length }: string): readonly number[] {
  const all = Array.from({ length: length - 1 }, (_, index) => index + 1);
  if (length <= CUT_EVERYWHERE) return all;
  const step = Math.ceil((length - 2 * CUTS_AT_AN_END) / CUTS_IN_BETWEEN);
  return all.filter(
    (at) => at <= CUTS_AT_AN_END || at >= length - CUTS_AT_AN_END || (at - CUTS_AT_AN_END) % step === 0,
  );
}

/** The pieces of a stream in which the text is cut at each of its places: in a copy for each, or all at once in a long one. */
export function piecesOfCopies(text: string): readonly string[] {
  const cuts = cutsOf(text);
  if (text.length <= CUT_EVERYWHERE) return cuts.flatMap((at) => [text.slice(0, at), `${text.slice(at)}\n`]);
  return [0, ...cuts].map((at, place) => text.slice(at, cuts[place]));
}

function lettersOf(place: string): string {
  return place.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
