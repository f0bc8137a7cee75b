import { readFileSync } from 'node:fs';

const ROOT = new URL('../../../../', import.meta.url);
const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** A file that the reader saves, or commands that the reader runs. */
export type Step =
  | { readonly kind: 'file'; readonly path: string; readonly code: string }
  | { readonly kind: 'commands'; readonly code: string; readonly prints: string | undefined };

/**
 * The blocks of one language below a heading of the second level of a page of the repository, in their order; with `null`
 * those before the first such heading.
 */
export function blocksOf(page: string, heading: string | null, language = 'bash'): string[] {
  const blocks = sectionOf(page, heading).matchAll(FENCE);
  return [...blocks].filter((match) => match[1] === language).map((match) => match[2] ?? '');
}

/** The pieces of code in the sentences below a heading that begin with this. */
export function inlineCode(page: string, heading: string, start: string): string[] {
  const prose = sectionOf(page, heading).replaceAll(FENCE, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)]
    .map((match) => match[1] ?? '')
    .filter((code) => code.startsWith(start));
}

/**
 * What a reader does below a heading, in its order. A sample is saved under the name that the last "as `name`" above it gives. A block of
 * text is what the commands above it print.
 */
export function stepsOf(page: string, heading: string): Step[] {
  const section = sectionOf(page, heading);
  const steps: Step[] = [];
  let end = 0;
  for (const block of section.matchAll(FENCE)) {
    const [whole, language = '', code = ''] = block;
    const prose = section.slice(end, block.index);
    end = block.index + whole.length;
    const last = steps.at(-1);
    if (language === 'bash') steps.push({ kind: 'commands', code, prints: undefined });
    else if (language === 'text' && last?.kind === 'commands')
      steps.splice(-1, 1, { ...last, prints: code.trimEnd() });
    else {
      const path = [...prose.matchAll(/\bas `([^`]+)`/g)].at(-1)?.[1];
      if (path === undefined)
        throw new Error(`${page}, "${heading}": a block of ${language} has no file name`);
      steps.push({ kind: 'file', path, code });
    }
  }
  return steps;
}

function sectionOf(page: string, heading: string | null): string {
  const text = readFileSync(new URL(page, ROOT), 'utf8');
  const section = heading === null ? text : text.split(`\n## ${heading}\n`)[1];
  if (section === undefined) throw new Error(`${page} has no heading "${heading}"`);
  const [own = ''] = section.split(/^## /m);
  return own;
}
