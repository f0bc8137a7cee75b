import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SIGNS } from '../packages/core/src/agent/health.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, 'utf8');

interface Manifest {
  readonly name: string;
  readonly engines: { readonly node: string };
  readonly exports: Readonly<Record<string, { readonly require?: unknown }>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const packages = readdirSync(`${ROOT}packages`).map((folder) => ({
  folder,
  manifest: JSON.parse(read(`packages/${folder}/package.json`)) as Manifest,
  readme: read(`packages/${folder}/README.md`),
}));
const hasCommonJs = ({ exports }: Manifest) => exports['.']?.require !== undefined;
const oldestNode = ({ engines }: Manifest) => engines.node.replace('>=', '');
/** The versions in all sentences like "Node 22.19 or newer". */
const nodesIn = (text: string) =>
  [...text.matchAll(/\bNode(?:\.js)? (\d[\d.]*) or newer/g)].map(([, v]) => v);
const isOwn = (name: string) => name.startsWith('@molecule-ai/');
/** `^6.0.0 || ^7.0.0` are 6 and 7. */
const majorsOf = (range: string) => [...range.matchAll(/\^(\d+)/g)].map(([, major]) => major);

it('no recipe for NestJS lets more than messages pass a guard', () => {
  const folders = ['docs', 'examples', 'packages/nestjs', 'test/consumers/nest'];
  const files = folders.flatMap((folder) =>
    readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(ts|md)$/.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
      .map((path) => `${folder}/${path}`),
  );
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((path) => /getType(<\w+>)?\(\) !== 'http'/.test(read(path)))).toEqual([]);
});

describe.each(packages)('the README of $folder', ({ manifest, readme }) => {
  it('names the Node that package.json asks for, and no other', () => {
    expect(new Set(nodesIn(readme))).toEqual(new Set([oldestNode(manifest)]));
  });

  it('names each entry and each program', () => {
    const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');
    const names = entries.map((entry) => manifest.name + entry.slice(1));
    for (const name of [...names, ...Object.keys(manifest.bin ?? {})]) expect(readme).toContain(name);
  });

  it('mentions CommonJS if an entry has it', () => {
    const isThere = Object.values(manifest.exports).some(({ require }) => require !== undefined);
    expect(/\bCommonJS\b/.test(readme)).toBe(isThere);
  });

  it('names each peer, and the versions of those of an adapter', () => {
    const peers = Object.entries(manifest.peerDependencies ?? {});
    for (const [name, range] of peers) {
      expect(readme).toContain(`\`${name}\``);
      if (isOwn(name) || manifest.peerDependencies?.['@molecule-ai/core'] === undefined) continue;
      const sentence = /^Peer(?:s| dependencies) are [\s\S]*?\n\n/m.exec(readme)?.[0] ?? '';
      const after = sentence.slice(sentence.indexOf(`\`${name}\``));
      // Names that share their versions are listed before them: `a` and `b` 1 or 2.
      const versions = /^(?:`[^`]+`(?: and |, )?)+ ((?:\d+(?:, | or )?)+)/.exec(after)?.[1];
      // One that is optional may have those of another.
      if (versions === undefined && manifest.peerDependenciesMeta?.[name]?.optional === true) continue;
      expect(versions?.match(/\d+/g), name).toEqual(majorsOf(range));
    }
  });

  it('names each dependency at its beginning where it has a sentence about them', () => {
    const dependencies = Object.keys(manifest.dependencies ?? {});
    const [beginning = ''] = readme.split(/^(?:```|## )/m);
    if (/\bno dependency of\sits own\b/.test(readme)) expect(dependencies).toEqual([]);
    if (/\b(?:dependencies,|dependencies are|only dependency)/.test(beginning))
      for (const name of dependencies) expect(beginning).toContain(name);
  });
});

it('the README of the repository has the same versions and module formats', () => {
  const [, sentence = ''] = /^(The packages need Node .*;.*)$/m.exec(read('README.md')) ?? [];
  const names = packages.filter(({ manifest }) => hasCommonJs(manifest)).map(({ folder }) => folder);
  const [versions = '', formats = ''] = sentence.split(';');
  const others = packages.filter(({ manifest }) => oldestNode(manifest) !== '22.19');
  expect(versions).toBe(
    `The packages need Node 22.19 or newer, ${others.map(({ folder, manifest }) => `\`${folder}\` ${oldestNode(manifest)}`).join(', ')}`,
  );
  expect(formats.match(/(?<=`)[\w-]+(?=`)/g)?.sort()).toEqual(names.sort());
});

it.each(['README.md', 'docs/first-agent.md'])('%s names the Node that core asks for', (page) => {
  const core = packages.find(({ folder }) => folder === 'core');
  const found = nodesIn(read(page));
  expect(found.length).toBeGreaterThan(0);
  expect(new Set(found)).toEqual(new Set([core && oldestNode(core.manifest)]));
});

it('docs/running-an-agent.md has each reason of degraded, first those that count for exitWhenDead', () => {
  const [, table = ''] = read('docs/running-an-agent.md').split('The reasons of `degraded` and `recovered`');
  const [dead = '', rest = ''] = table.split('\n\n');
  expect(dead).toContain('the first three count for `presence.exitWhenDead`');
  const listed = [...rest.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, reason]) => reason);
  expect(listed).toEqual(Object.keys(SIGNS));
  expect(Object.values(SIGNS).filter(({ isDead }) => isDead)).toHaveLength(3);
  expect(Object.values(SIGNS).findIndex(({ isDead }) => !isDead)).toBe(3);
});
