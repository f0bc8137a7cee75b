import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript-with-api';

/** What the sources of a package are, without its tests. */
export interface PackageSize {
  readonly files: number;
  /** Lines with code: those of comments and empty ones do not count. */
  readonly codeLines: number;
  /** The files of the longest chain of imports, type imports included. */
  readonly longestChain: readonly string[];
}

export function sizeOf(folder: string): PackageSize {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
  const sources = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
  let codeLines = 0;
  for (const text of sources.values()) codeLines += countCodeLines(text);
  const chain = longestChain(sources).map((file) => relative(folder, file));
  return { files: files.length, codeLines, longestChain: chain };
}

function countCodeLines(text: string): number {
  const source = ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true);
  const lines = new Set<number>();
  const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(source);
    for (const child of children) visit(child);
    if (children.length > 0 || node.getWidth(source) === 0) return;
    for (let line = lineAt(node.getStart(source)); line <= lineAt(node.getEnd()); line += 1) lines.add(line);
  };
  visit(source);
  return lines.size;
}

function longestChain(sources: ReadonlyMap<string, string>): readonly string[] {
  const known = new Map<string, readonly string[]>();
  const chainFrom = (file: string): readonly string[] => {
    const found = known.get(file);
    if (found !== undefined) return found;
    let longest: readonly string[] = [];
    for (const { fileName } of ts.preProcessFile(sources.get(file) ?? '', true, true).importedFiles) {
      const imported = resolve(dirname(file), fileName);
      if (!fileName.startsWith('.') || !sources.has(imported)) continue;
      const chain = chainFrom(imported);
      if (chain.length > longest.length) longest = chain;
    }
    const chain = [file, ...longest];
    known.set(file, chain);
    return chain;
  };
  let longest: readonly string[] = [];
  for (const file of sources.keys()) {
    const chain = chainFrom(file);
    if (chain.length > longest.length) longest = chain;
  }
  return longest;
}
