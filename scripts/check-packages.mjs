// Packs each published package and checks the tarball: publint, the types of every entry (attw), and whether its links, citations and source
// maps lead to what is in it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { problemsOf } from './packed-files.mjs';
import { installedTool } from './run-tool.mjs';

const [publint, attw] = ['publint', 'attw'].map(installedTool);
const folder = mkdtempSync(join(tmpdir(), 'molecule-pack-'));
let failed = false;
try {
  for (const name of readdirSync('packages')) {
    const root = join('packages', name);
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    if (manifest.private === true) continue;
    for (const file of ['README.md', 'LICENSE']) {
      if (!readdirSync(root).includes(file)) {
        console.error(`${manifest.name}: ${file} is missing`);
        failed = true;
      }
    }
    const tarball = pack(root);
    failed = !checkFiles(tarball, manifest.name) || failed;
    failed = !run(publint, [tarball, '--strict'], manifest.name) || failed;
    const entries = Object.entries(manifest.exports).filter(([entry]) => entry !== './package.json');
    for (const isDual of [true, false]) {
      const names = entries
        .filter(([, target]) => (target.require !== undefined) === isDual)
        .map(([entry]) => entry);
      if (names.length === 0) continue;
      // The profile of an entry with CommonJS has every way of resolution, also `node10`, which reads `typesVersions` and no `exports`.
      const profile = ['--profile', isDual ? 'strict' : 'esm-only'];
      failed = !run(attw, [tarball, ...profile, '--entrypoints', ...names], manifest.name) || failed;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (failed) process.exit(1);

function pack(root) {
  const output = execFileSync('npx', ['-y', 'pnpm@12', 'pack', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const packed = JSON.parse(output.slice(output.search(/[[{]/)));
  return (Array.isArray(packed) ? packed[0] : packed).filename;
}

function checkFiles(tarball, name) {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1'], { cwd: target });
  const paths = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = paths.map((path) => [
    relative(target, path).replaceAll('\\', '/'),
    readFileSync(path, 'utf8'),
  ]);
  const problems = problemsOf(new Map(files));
  if (problems.length > 0) console.error(`${name}: links, citations and maps\n${problems.join('\n')}`);
  else console.log(`${name}: links, citations and maps ok (${statSync(tarball).size} bytes)`);
  return problems.length === 0;
}

function run(command, args, name) {
  try {
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
    console.log(`${name}: ${basename(command)} ok`);
    return true;
  } catch (error) {
    console.error(`${name}: ${basename(command)} failed\n${error.stdout ?? ''}${error.stderr ?? ''}`);
    return false;
  }
}
