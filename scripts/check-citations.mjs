// Fails when a comment or a document cites a page or a heading of docs/ that does not exist, or cites in one of the
// old forms, which name documents outside the repository; and when docs/README.md leaves out a page of docs/.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { anchorsOf, CITATION, LINK, withoutCode } from './markdown.mjs';

const FOLDERS = [
  'packages',
  'test',
  'examples',
  'benchmarks',
  'scripts',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
];
/** Data, this check with its test, which contain the old forms, and a test with pages of its own. */
const NOT_CHECKED =
  /^(?:test\/vectors\/|scripts\/(?:check-citations\.|packed-files\.test\.))|\/CHANGELOG\.md$/;
const TEXT_FILE = /\.(?:ts|tsx|mts|cts|js|mjs|cjs|md|json|yaml|yml|sh|sql|html|css)$/;

/** A space, or the end of a comment's line together with the beginning of the next one. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:\*|\/\/)?[ \t]*)`;
const OLD_FORMS = [
  String.raw`\bdecisions?${GAP}\d+`,
  String.raw`✗[ \t]?\d+`,
  String.raw`\bwire${GAP}contract\b`,
  String.raw`\bseeds?${GAP}00\d`,
  String.raw`\bvectors?${GAP}\d+`,
  String.raw`\bweakness(?:es)?${GAP}\d+`,
  String.raw`\(rows?${GAP}\d+\)`,
  String.raw`\b8,?${GAP}rows?${GAP}\d+`,
  String.raw`\b10\.[123],?${GAP}points?${GAP}\d+`,
  String.raw`\bproduct${GAP}facts\b`,
  String.raw`\bS[0-4](?:${GAP}and${GAP}S[0-4])?${GAP}(?:readers?|clients?)\b`,
].map((form) => new RegExp(form, 'gi'));

const INDEX = 'docs/README.md';

/**
 * The problems of one file, as `file:line: what`.
 * @param {string} file path from the root of the repository
 * @param {string} text
 * @param {(path: string) => Set<string> | undefined} headingsOf the anchors of a page; undefined when there is none
 */
export function checkFile(file, text, headingsOf) {
  const problems = [];
  const report = (index, what) => problems.push(`${file}:${lineAt(text, index)}: ${what}`);
  for (const form of OLD_FORMS) {
    for (const match of text.matchAll(form)) {
      report(
        match.index,
        `"${match[0].replace(/\s*\n[\s*/]*/, ' ')}" names a document outside the repository; cite a page of docs/`,
      );
    }
  }
  for (const match of text.matchAll(CITATION)) {
    const problem = missing(match[0], match[0], headingsOf);
    if (problem !== undefined) report(match.index, problem);
  }
  if (!file.endsWith('.md')) return problems;
  for (const match of withoutCode(text).matchAll(LINK)) {
    const [path = '', anchor] = (match[2] ?? '').split('#', 2);
    if (/^[a-z]+:/i.test(path) || (path !== '' && !path.endsWith('.md'))) continue;
    const page = path === '' ? file : normalize(join(dirname(file), path)).replaceAll('\\', '/');
    const problem = missing(anchor === undefined ? page : `${page}#${anchor}`, match[2], headingsOf);
    if (problem !== undefined) report(match.index, problem);
  }
  return problems;
}

/**
 * The problems of the list of documents: each page of docs/ has a link in it.
 * @param {string} index text of docs/README.md
 * @param {readonly string[]} files paths from the root of the repository
 */
export function checkIndex(index, files) {
  const linked = new Set(
    [...withoutCode(index).matchAll(LINK)].map(([, , target]) => normalize(`docs/${target?.split('#')[0]}`)),
  );
  return files
    .filter((file) => /^docs\/.*\.md$/.test(file) && file !== INDEX && !linked.has(file))
    .map((file) => `${INDEX}: no link to ${file}`);
}

function missing(citation, asWritten, headingsOf) {
  const [page = '', anchor] = citation.split('#', 2);
  const headings = headingsOf(page);
  if (headings === undefined) return `"${asWritten}": there is no ${page}`;
  if (anchor === undefined || headings.has(anchor)) return undefined;
  return `"${asWritten}": ${page} has no heading "#${anchor}"`;
}

function lineAt(text, index) {
  return text.slice(0, index).split('\n').length;
}

function main() {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...FOLDERS], {
    encoding: 'utf8',
  });
  const files = listed.split('\n').filter((file) => TEXT_FILE.test(file) && !NOT_CHECKED.test(file));
  const pages = new Map();
  const headingsOf = (path) => {
    if (!pages.has(path)) {
      const text = read(path);
      pages.set(path, text === undefined ? undefined : anchorsOf(text));
    }
    return pages.get(path);
  };
  const problems = files.flatMap((file) => checkFile(file, read(file) ?? '', headingsOf));
  problems.push(...checkIndex(read(INDEX) ?? '', files));
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    console.error(`citations: ${problems.length} problems`);
    process.exitCode = 1;
    return;
  }
  console.log(`citations: ${files.length} files, no problem`);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
