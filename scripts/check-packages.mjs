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
    const dual = JSON.stringify(manifest.exports).includes('"require"');
    failed = !run('publint', [tarball, '--strict'], manifest.name) || failed;
    const profile = dual ? [] : ['--profile', 'esm-only'];
    // `node10` has no exports map; packages with subpaths cannot support it, and Node 10 is obsolete.
    failed = !run('attw', [tarball, ...profile, '--ignore-rules', 'no-resolution'], manifest.name) || failed;
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
