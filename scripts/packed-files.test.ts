import { describe, expect, it } from 'vitest';
import { packedDocs } from './packed-docs.mjs';
import { problemsOf } from './packed-files.mjs';

const check = (files: Readonly<Record<string, string>>) => problemsOf(new Map(Object.entries(files)));

describe('the check of a packed package', () => {
  it('accepts what points into the package', () => {
    expect(
      check({
        'README.md': '# A\n[a](docs/a.md#one) [b](#a) [c](https://example.com/d.md) `docs/a.md`\n',
        'docs/a.md': '# One\n[up](../README.md) [b](contract/b.md#two)\n```\n[x](none.md)\n```\n',
        'docs/contract/b.md': '## Two\n[up](../a.md)\n',
        'dist/index.d.ts': '/** See docs/contract/b.md#two. */',
        'dist/index.js': '// docs/a.md\n//# sourceMappingURL=index.js.map\n',
        'dist/index.js.map': JSON.stringify({ sources: ['../src/index.ts'], sourcesContent: [''] }),
      }),
    ).toEqual([]);
  });

  it.each([
    ['a link out of the package', { 'README.md': '[a](../../docs/a.md)' }, '"../../docs/a.md" is not'],
    ['a link to a page that is not packed', { 'docs/a.md': '[b](b.md)' }, '"b.md" is not'],
    ['a heading that does not exist', { 'README.md': '# A\n[b](#b)' }, 'README.md has no such heading'],
    ['a citation in the README', { 'README.md': 'See `docs/a.md`.' }, '"docs/a.md" is not'],
    ['a citation in a declaration', { 'dist/index.d.ts': '/** docs/a.md#b */' }, '"docs/a.md#b" is not'],
    ['a heading cited in a declaration', { 'a.d.ts': '/** docs/a.md#b */', 'docs/a.md': '# A' }, 'no such'],
    ['a citation in a message', { 'dist/index.js': "throw Error('See docs/a.md')" }, '"docs/a.md" is not'],
    ['a map that is not packed', { 'dist/a.js': '//# sourceMappingURL=a.js.map' }, '"a.js.map" is not'],
    ['a map of a declaration', { 'dist/a.d.ts': '//# sourceMappingURL=a.d.ts.map' }, 'a.d.ts.map" is not'],
    ['a map without sources', { 'a.js.map': '{"sources":["../src/a.ts"]}' }, 'not contain ../src/a.ts'],
    [
      'a map without one source',
      { 'a.map': '{"sources":["a","b"],"sourcesContent":["",null]}' },
      'contain b',
    ],
  ])('finds %s', (_name, files, problem) => {
    expect(check(files)).toEqual([expect.stringContaining(problem)]);
  });
});

describe('packed pages', () => {
  const FILES: Readonly<Record<string, string>> = {
    'packages/some/README.md': `# Some
While the packages are not published, [pack them in a clone](../../README.md#start). Save this:
<!-- sample: examples/a/src/main.ts#a -->
\`\`\`ts
// [not a link](../../docs/other.md)
\`\`\`
[guide](../../docs/guide.md#first), [here](#some), [core](../core#readme), [\`@molecule-ai/core\`](../core),
[example](../../examples/a), [\`examples/a\`](../../examples/a), [Start](../../README.md#start)
`,
    'docs/guide.md':
      '# Guide\n## First\n[other](contract/other.md) [self](../packages/some/README.md#some)\n',
    'docs/contract/other.md': '# Other\n[guide](../guide.md)\n',
    'docs/contract/cited.md': '# Cited\n',
  };
  const pack = (name: string) =>
    packedDocs({
      folder: 'packages/some',
      name,
      code: ['/** docs/contract/cited.md#cited */'],
      pages: Object.keys(FILES).filter((file) => file.startsWith('docs/')),
      read: (path: string) => FILES[path] ?? '',
    });

  it('are those that README and code name; other links become text', () => {
    const packed = pack('@molecule-ai/some');
    expect(Object.fromEntries(packed)).toEqual({
      'README.md': `# Some
Save this:
\`\`\`ts
// [not a link](../../docs/other.md)
\`\`\`
[guide](docs/guide.md#first), [here](#some), core (README of \`@molecule-ai/core\`), \`@molecule-ai/core\`,
example (\`examples/a\` in the repository), \`examples/a\` in the repository, Start (\`README.md\` in the repository)
`,
      'docs/guide.md':
        '# Guide\n## First\nother (`docs/contract/other.md` in `@molecule-ai/core`) [self](../README.md#some)\n',
      'docs/contract/cited.md': '# Cited\n',
    });
    expect(problemsOf(packed)).toEqual([]);
  });

  it('are all pages for core, whose links stay', () => {
    const packed = pack('@molecule-ai/core');
    expect(packed.get('docs/guide.md')).toContain('[other](contract/other.md)');
    expect([...packed.keys()]).toContain('docs/contract/other.md');
    expect(problemsOf(packed)).toEqual([]);
  });
});
