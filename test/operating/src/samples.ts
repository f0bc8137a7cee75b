import { readFileSync } from 'node:fs';

/** The text of a file of `examples/operating`. */
export function sampleText(name: string): string {
  return readFileSync(new URL(`../../../examples/operating/${name}`, import.meta.url), 'utf8');
}

/** Replaces each of `changes` in a sample. @throws when the sample does not have it */
export function changed(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`The sample has no "${from}".`);
    return before.replaceAll(from, to);
  }, text);
}
