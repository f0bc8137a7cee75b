import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCOPE = '@molecule-ai/';

export type PackageName = 'core' | 'net-guard' | 'platform' | 'protocol' | 'telemetry';

/** Puts packed packages into the `node_modules` of a folder, with links to what else they depend on. */
export function install(folder: string, names: readonly PackageName[]): void {
  const modules = join(folder, 'node_modules');
  for (const name of names) {
    const source = realpathSync(join(ROOT, 'node_modules', SCOPE + name));
    const target = join(modules, SCOPE + name);
    unpack(source, target);
    const { dependencies = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) {
      if (!dependency.startsWith(SCOPE))
        link(join(source, 'node_modules', dependency), join(modules, dependency));
    }
  }
}

/** Links once. */
export function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  try {
    symlinkSync(realpathSync(target), path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

export function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function unpack(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', target];
  const [packed] = JSON.parse(execFileSync('npm', pack, { cwd: source, encoding: 'utf8', stdio: 'pipe' }));
  execFileSync('tar', ['-xzf', packed.filename, '--strip-components=1'], { cwd: target });
}
