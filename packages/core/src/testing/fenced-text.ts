const OPENING = /<peer-text-([0-9a-f]{32}) origin="(?:[0-9a-f-]{36}|unknown)">\n/g;
/** Shorter lines of a text may stand elsewhere by chance. */
const LEAST_LINE = 20;

/** What is outside of the fences of peer texts; a fence that is not closed is none. */
export function outsideFences(text: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const opening of text.matchAll(OPENING)) {
    if (opening.index < from) continue;
    const closing = `\n</peer-text-${opening[1]}>`;
    // The line break after the opening tag is also the one before the closing tag of an empty text.
    const end = text.indexOf(closing, opening.index + opening[0].length - 1);
    if (end === -1) continue;
    parts.push(text.slice(from, opening.index));
    from = end + closing.length;
  }
  parts.push(text.slice(from));
  // Nothing that stood apart becomes one text.
  return parts.join('\n\n');
}

/** Whether all of a text is in fences. */
export function isFenced(text: string): boolean {
  return text.trim() !== '' && outsideFences(text).trim() === '';
}

/** Of a text of a peer, the first whole text or long line that stands outside of a fence in a prompt. */
export function findUnfenced(prompt: unknown, peerText: string): string | undefined {
  const outside = stringsIn(prompt).map((text) => comparable(outsideFences(text)));
  const searched = [peerText, ...peerText.split('\n').filter((line) => line.trim().length >= LEAST_LINE)];
  return searched.find((piece) => {
    const text = comparable(piece);
    return text !== '' && outside.some((each) => each.includes(text));
  });
}

/** All texts in messages, parts and the like. */
function stringsIn(value: unknown, seen = new Set<object>()): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  return Object.values(value).flatMap((item) => stringsIn(item, seen));
}

function comparable(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().toLowerCase();
}
