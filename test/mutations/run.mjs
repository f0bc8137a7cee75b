// Puts one fault after the other into a copy of the last commit and runs `pnpm test` there until a test fails, first with the tests
// of the package alone, because they are the quickest.
//   npx -y pnpm@12 mutations                    all faults of faults.json
//   npx -y pnpm@12 mutations <id> [<id> …]      some
// Prints the test that noticed each fault, and exits with 1 if one was missed or does not fit the code any more.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const faults = JSON.parse(readFileSync(new URL('faults.json', import.meta.url), 'utf8'));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((id) => !faults.some((fault) => fault.id === id));
if (unknown.length > 0) throw new Error(`faults.json does not have ${unknown.join(', ')}`);

const copy = mkdtempSync(join(tmpdir(), 'molecule-mutations-'));
const report = join(copy, '..', `${copy.split('/').at(-1)}.json`);
process.once('exit', () => {
  rmSync(copy, { recursive: true, force: true });
  rmSync(report, { force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

run('git', ['clone', '--quiet', ROOT, copy], ROOT);
run('npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile'], copy);
// Some are for a second look, after all were run.
const before = wanted.length > 0 ? undefined : test();
if (before !== undefined) throw new Error(`Without a fault, this fails: ${before}`);

let missed = 0;
for (const { id, file, find, replace, harm } of faults) {
  if (wanted.length > 0 && !wanted.includes(id)) continue;
  const path = join(copy, file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const places = text.split(find).length - 1;
  if (places !== 1) {
    missed += 1;
    console.log(`${id}\n  DOES NOT FIT: ${file} has ${places} places for it`);
    continue;
  }
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  const noticed = test(file.split('/').slice(0, 2).join('/')) ?? test();
  writeFileSync(path, text);
  if (noticed === undefined) missed += 1;
  console.log(`${id}\n  ${noticed === undefined ? `MISSED: ${harm}` : `noticed by ${noticed}`}`);
}
if (missed > 0) {
  console.log(`${missed} missed`);
  process.exitCode = 1;
}

/** The first test that fails, of those of a folder or of all, or `undefined`. */
function test(folder = '') {
  rmSync(report, { force: true });
  const reporters = ['--reporter=json', `--outputFile=${report}`];
  const { status } = spawnSync('npx', ['-y', 'pnpm@12', 'test', '--bail=1', ...reporters, folder], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, CI: 'true' },
  });
  if (status === 0) return undefined;
  if (!existsSync(report)) return 'the build';
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  for (const { name, assertionResults, message } of testResults) {
    const failed = assertionResults.find((result) => result.status === 'failed');
    const where = relative(copy, name);
    if (failed !== undefined) return `${where} > ${failed.fullName}`;
    if (message) return where;
  }
  return 'the run';
}

function run(command, args, cwd) {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
