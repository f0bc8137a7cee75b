const MAX_CHARACTERS = 200;

/** A text of a server or of a file in one line, cut, and without what a terminal would interpret. */
export function printable(text: string): string {
  const cut = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return cut.replaceAll(/[\s\p{C}]+/gu, ' ').trim();
}
