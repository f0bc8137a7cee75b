import { existsSync, readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript-with-api';

const PACKAGES = fileURLToPath(new URL('../../../packages/', import.meta.url));
const COUNT = '__countCall';
/** Deep enough to find the caller behind what Node does between two of our functions. */
const FRAMES = 12;

/** What ran of a package, and how often a function in one of its files was called from another file of ours. */
export interface CountedCalls {
  readonly files: number;
  readonly functions: number;
  readonly crossFileCalls: number;
}

/** By index: the file of a function, below `packages`, and its name. */
const functions: { readonly file: string; readonly name: string }[] = [];
const called = new Map<number, { crossFileCalls: number }>();
let isCounting = false;

/** Loads our packages from their sources from now on, so that their calls are counted. */
export function countCalls(): void {
  Reflect.set(globalThis, COUNT, count);
  registerHooks({
    resolve: (specifier, context, next) => {
      const source = sourceOf(specifier);
      if (source !== undefined)
        return { url: pathToFileURL(source).href, format: 'module', shortCircuit: true };
      return next(specifier, context);
    },
    load: (url, context, next) => {
      const file = url.startsWith('file:') ? fileURLToPath(url) : '';
      if (!file.startsWith(PACKAGES) || !file.endsWith('.ts')) return next(url, context);
      return { format: 'module', source: withCounters(file), shortCircuit: true };
    },
  });
}

/** Counts what runs until the returned function is called, by the name of the package. */
export function startCounting(): () => ReadonlyMap<string, CountedCalls> {
  called.clear();
  isCounting = true;
  return () => {
    isCounting = false;
    const parts = new Map<string, { files: Set<string>; functions: number; crossFileCalls: number }>();
    for (const [id, { crossFileCalls }] of called) {
      const file = functions[id]?.file ?? '';
      const name = file.split('/')[0] ?? '';
      const part = parts.get(name) ?? { files: new Set(), functions: 0, crossFileCalls: 0 };
      part.files.add(file);
      part.functions += 1;
      part.crossFileCalls += crossFileCalls;
      parts.set(name, part);
    }
    return new Map([...parts].map(([name, part]) => [name, { ...part, files: part.files.size }]));
  };
}

function count(id: number): void {
  if (!isCounting) return;
  const known = called.get(id) ?? { crossFileCalls: 0 };
  called.set(id, known);
  const caller = callerFile();
  if (caller !== undefined && caller !== functions[id]?.file) known.crossFileCalls += 1;
}

/** The file of ours that called; `undefined` when the event loop did. */
function callerFile(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  Error.prepareStackTrace = (_error, sites) => sites;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  Error.captureStackTrace(holder, count);
  const sites = holder.stack ?? [];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  for (const site of sites.slice(1)) {
    const name = site.getFileName() ?? '';
    const file = name.startsWith('file:') ? fileURLToPath(name) : name;
    if (file.startsWith(PACKAGES)) return file.slice(PACKAGES.length);
  }
  return undefined;
}

function sourceOf(specifier: string): string | undefined {
  const [, name, entry = 'index'] = /^@molecule-ai\/([a-z-]+)(?:\/([a-z-]+))?$/.exec(specifier) ?? [];
  const path = `${PACKAGES}${name}/src/${entry}.ts`;
  return name !== undefined && existsSync(path) ? path : undefined;
}

/** The JavaScript of a file, in which each function first counts itself. Positions are the same with and without types. */
function withCounters(file: string): string {
  const text = readFileSync(file, 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const insertions: [position: number, text: string][] = [];
  const visit = (node: ts.Node): void => {
    const body = ts.isFunctionLike(node) && 'body' in node ? (node.body as ts.Node | undefined) : undefined;
    if (body !== undefined) {
      const id = functions.push({ file: file.slice(PACKAGES.length), name: nameOf(node, source) }) - 1;
      const call = `globalThis.${COUNT}(${id})`;
      if (!ts.isBlock(body)) {
        insertions.push([body.getStart(source), `(${call}, `], [body.getEnd(), ')']);
      } else if (isDerivedConstructor(node)) {
        insertions.push([body.getEnd() - 1, `;${call};`]);
      } else {
        insertions.push([body.getStart(source) + 1, `${call};`]);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  let code = stripTypeScriptTypes(text, { mode: 'strip' });
  // From the end; of one position, what was found first is inserted last, so that it stands first.
  for (const [at, inserted] of insertions
    .map((each, index) => [...each, index] as const)
    .toSorted(byPosition)) {
    code = code.slice(0, at) + inserted + code.slice(at);
  }
  return code;
}

type Insertion = readonly [position: number, text: string, index: number];

function byPosition([one, , first]: Insertion, [other, , second]: Insertion): number {
  return other - one || second - first;
}

/** It may not count before `super` was called. */
function isDerivedConstructor(node: ts.Node): boolean {
  if (!ts.isConstructorDeclaration(node)) return false;
  return node.parent.heritageClauses?.some(({ token }) => token === ts.SyntaxKind.ExtendsKeyword) === true;
}

function nameOf(node: ts.Node, source: ts.SourceFile): string {
  const named = [node, node.parent].find((each) => 'name' in each && each.name !== undefined);
  return named === undefined
    ? 'anonymous'
    : ((named as ts.NamedDeclaration).name?.getText(source) ?? 'anonymous');
}
