import { readFileSync } from 'node:fs';

const ROOT = new URL('../../../../', import.meta.url);

/** The blocks of one language below a heading of a page of the repository, in their order. */
export function blocksOf(page: string, heading: string, language = 'bash'): string[] {
  const text = readFileSync(new URL(page, ROOT), 'utf8');
  const [, section] = text.split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`${page} has no heading "${heading}"`);
  const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;
  // A heading ends the section; a comment in a block does not look like one of the second level.
  const [own = ''] = section.split(/^## /m);
  return [...own.matchAll(fence)].filter((match) => match[1] === language).map((match) => match[2] ?? '');
}
