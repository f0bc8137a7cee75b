import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../consumers/', import.meta.url));
/** Finds what `test/consumers` installs. */
export const { resolve } = createRequire(join(ROOT, 'package.json'));
const SCOPE = '@molecule-ai/';

export type PackageName =
  | 'ai-sdk'
  | 'core'
  | 'langchain'
  | 'nestjs'
  | 'net-guard'
  | 'platform'
  | 'protocol'
  | 'telemetry';

/** Puts packed packages into the `node_modules` of a folder, with links to what else they depend on. */
export function install(folder: string, names: readonly PackageName[]): void {
  const modules = join(folder, 'node_modules');
  const sources = names.map((name) => realpathSync(join(ROOT, 'node_modules', SCOPE + name)));
  const archives = pack(sources, join(folder, 'packed'));
  for (const [at, name] of names.entries()) {
    const source = sources[at] ?? '';
    unpack(archives[at] ?? '', join(modules, SCOPE + name));
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

/** All by one npm, which takes longer to start than to pack. */
function pack(sources: readonly string[], destination: string): string[] {
  mkdirSync(destination, { recursive: true });
  const options = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
  const output = execFileSync('npm', [...options, ...sources], { encoding: 'utf8', stdio: 'pipe' });
  const packed: { filename: string }[] = JSON.parse(output);
  return packed.map(({ filename }) => join(destination, filename));
}

function unpack(archive: string, target: string): void {
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '--strip-components=1'], { cwd: target });
}
