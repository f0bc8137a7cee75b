// Packs each published package and checks the tarball: publint, and the types of every entry (attw).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
    failed = !run('publint', [tarball, '--strict'], manifest.name) || failed;
    const entries = Object.entries(manifest.exports).filter(([entry]) => entry !== './package.json');
    for (const isDual of [true, false]) {
      const names = entries
        .filter(([, target]) => (target.require !== undefined) === isDual)
        .map(([entry]) => entry);
      if (names.length === 0) continue;
      const profile = isDual ? [] : ['--profile', 'esm-only'];
      // `node10` has no exports map; packages with subpaths cannot support it, and Node 10 is obsolete.
      const rules = ['--ignore-rules', 'no-resolution'];
      failed =
        !run('attw', [tarball, ...profile, ...rules, '--entrypoints', ...names], manifest.name) || failed;
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

function run(command, args, name) {
  try {
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
    console.log(`${name}: ${command} ok`);
    return true;
  } catch (error) {
    console.error(`${name}: ${command} failed\n${error.stdout ?? ''}${error.stderr ?? ''}`);
    return false;
  }
}
