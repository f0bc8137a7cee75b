import { readFileSync } from 'node:fs';

const ROOT = new URL('../../../../', import.meta.url);

/**
 * The blocks of one language below a heading of the second level of a page of the repository, in their order; with `null`
 * those before the first such heading.
 */
export function blocksOf(page: string, heading: string | null, language = 'bash'): string[] {
  const text = readFileSync(new URL(page, ROOT), 'utf8');
  const section = heading === null ? text : text.split(`\n## ${heading}\n`)[1];
  if (section === undefined) throw new Error(`${page} has no heading "${heading}"`);
  const [own = ''] = section.split(/^## /m);
  const blocks = own.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...blocks].filter((match) => match[1] === language).map((match) => match[2] ?? '');
}
