import { execFile, execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, vi } from 'vitest';
import { verifies } from '../verifies.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** `core` has all pages, `net-guard` those that it names. */
const PACKAGES = ['core', 'net-guard'] as const;

vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'molecule-packed-pages-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packs as a release does; returns the folder with the unpacked files. */
async function packed(name: string, run: string): Promise<string> {
  const destination = join(folder, run, name);
  mkdirSync(destination, { recursive: true });
  const args = ['-y', 'pnpm@12', 'pack', '--pack-destination', destination];
  await promisify(execFile)('npx', args, { cwd: join(ROOT, 'packages', name) });
  const [archive = ''] = globSync('*.tgz', { cwd: destination });
  execFileSync('tar', ['-xzf', archive], { cwd: destination });
  return join(destination, 'package');
}

const withoutBlocks = (page: string) => page.replace(/^```[\s\S]*?^```/gm, '');
const status = () =>
  execFileSync('git', ['status', '--porcelain', 'packages'], { cwd: ROOT, encoding: 'utf8' });

verifies('packed.pages', async () => {
  const before = status();
  // Each twice at the same time.
  const runs = ['first', 'second'].flatMap((run) => PACKAGES.map((name) => packed(name, run)));
  const folders = await Promise.all(runs);
  expect(status()).toBe(before);
  for (const root of folders) {
    const pages = globSync(['README.md', 'docs/**/*.md'], { cwd: root });
    const links = pages.flatMap((page) => {
      const text = withoutBlocks(readFileSync(join(root, page), 'utf8'));
      const targets = [...text.matchAll(/\]\(([^()\s#]+)[^()\s]*\)/g)].map(([, target = '']) => target);
      return targets.filter((target) => !target.includes(':')).map((target) => join(dirname(page), target));
    });
    const declarations = globSync('dist/**/*.d.ts', { cwd: root });
    const cited = declarations.flatMap((file) =>
      readFileSync(join(root, file), 'utf8').match(/(?<![\w/])docs\/[\w/.-]+\.md/g),
    );
    const targets = [...links, ...cited.filter((page) => page !== null)];
    expect(targets).toContain('docs/contract/presence.md');
    expect(targets.filter((target) => !existsSync(join(root, target)))).toEqual([]);
  }
  const [core = '', guard = ''] = folders;
  expect(existsSync(join(core, 'docs/operating.md'))).toBe(true);
  expect(globSync('docs/**/*.md', { cwd: guard })).toEqual(['docs/contract/presence.md']);
});
