// Fails for a misplaced file, and for code that a library must not have.
// Biome and dependency-cruiser enforce the other rules; see docs/architecture.md.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** What a user asks for with `exitWhenDead`. */
const ENDS_THE_PROCESS = 'packages/core/src/agent/watch.ts';
/** Names a type of an optional peer, which a program may compile without. */
const NAMES_AN_OPTIONAL_TYPE = 'packages/langchain/src/peers-middleware.ts';

const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx', '*.mjs'],
  {
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((file) => file !== '' && !file.includes('/dist/'));

const problems = [];
const vagueNames = /^(utils?|helpers?|common|misc)(\.|$)/;
const isBin = (file) => /^packages\/[^/]+\/src\/(main|bin\/[^/]+)\.ts$/.test(file);
const isTest = (file) => file.endsWith('.test.ts') || file.startsWith('test/');

for (const file of files) {
  const parts = file.split('/');
  if (parts.some((part) => vagueNames.test(part)))
    problems.push(`${file}: use a name that describes the contents`);
  if (/^packages\/[^/]+\/src\/types\.ts$/.test(file))
    problems.push(`${file}: no top-level types file; put each type beside the code that uses it`);
  if (!file.startsWith('packages/')) continue;

  const text = safeRead(file);
  const lines = text.split('\n').length;
  const limit = 600;
  if (lines > limit) problems.push(`${file}: ${lines} lines; it has two subjects (limit ${limit})`);
  if (isTest(file)) continue;
  if (!isBin(file) && file !== ENDS_THE_PROCESS && /\bprocess\.exit\b/.test(text))
    problems.push(`${file}: only a bin may end the process`);
  if (/\.(only|skip)\(/.test(text)) problems.push(`${file}: no .only or .skip`);
  if (basename(file) === 'index.ts' && /export \*/.test(text))
    problems.push(`${file}: index.ts lists names; no export *`);
  if (file !== NAMES_AN_OPTIONAL_TYPE && /@ts-ignore|@ts-expect-error|@ts-nocheck/.test(text))
    problems.push(`${file}: no type checks switched off`);
}

for (const file of files.filter((name) => name.endsWith('.test.ts'))) {
  if (/\b(it|test|describe)\.(only|skip|todo)\b/.test(safeRead(file)))
    problems.push(`${file}: no .only, .skip or .todo`);
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`layout: ${files.length} files, no problem`);

function safeRead(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
