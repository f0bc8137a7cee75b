import { describe, expect, it } from 'vitest';
import { checkFile, checkIndex } from './check-citations.mjs';
import { anchorsOf } from './markdown.mjs';

const PAGES = new Map([
  ['docs/contract/feed.md', anchorsOf('# The feed\n\n## Long-poll\n\n## Acknowledgement\n')],
  ['docs/decisions/0012-delivery-guarantee.md', anchorsOf('# 0012. Delivery guarantee\n')],
]);

function problemsOf(text: string, file = 'packages/core/src/a.ts'): string[] {
  return checkFile(file, text, (path: string) => PAGES.get(path));
}

describe('citations', () => {
  it('passes pages and headings that exist', () => {
    expect(problemsOf('// See docs/decisions/0012-delivery-guarantee.md.')).toEqual([]);
    expect(
      problemsOf("source: 'docs/contract/feed.md#long-poll; docs/contract/feed.md#acknowledgement',"),
    ).toEqual([]);
  });

  it('names file and line of a page or heading that does not exist', () => {
    expect(problemsOf('\n\n// docs/contract/food.md')).toEqual([
      'packages/core/src/a.ts:3: "docs/contract/food.md": there is no docs/contract/food.md',
    ]);
    expect(problemsOf('// docs/contract/feed.md#longpoll')).toEqual([
      'packages/core/src/a.ts:1: "docs/contract/feed.md#longpoll": docs/contract/feed.md has no heading "#longpoll"',
    ]);
  });

  it('leaves other addresses alone', () => {
    expect(problemsOf('https://example.com/docs/contract/food.md and node_modules/ai/docs/x.md')).toEqual([]);
  });

  it('follows relative links of documents', () => {
    const file = 'docs/contract/messages.md';
    expect(problemsOf('[a](feed.md#long-poll) [b](../decisions/0012-delivery-guarantee.md)', file)).toEqual(
      [],
    );
    expect(problemsOf('[a](https://example.com/x.md) [b](../../scripts/x.mjs)', file)).toEqual([]);
    expect(problemsOf('x\n[a](feed.md#gone)', file)).toEqual([
      `${file}:2: "feed.md#gone": docs/contract/feed.md has no heading "#gone"`,
    ]);
    expect(problemsOf('```\n[a](gone.md)\n```\n', file)).toEqual([]);
  });

  it('checks links within a page', () => {
    expect(problemsOf('[a](#long-poll)', 'docs/contract/feed.md')).toEqual([]);
    expect(problemsOf('[a](#other)', 'docs/contract/feed.md')).toHaveLength(1);
  });

  it.each([
    'Kept (decision 12).',
    'decisions 10 to 12',
    'the decision\n * 12 says',
    'see ✗14',
    'wire contract 3.20',
    'asks for the wire\n// contract',
    "Seed 003's table",
    'seeds 000 and 001',
    'vector 17',
    'wire contract 8, row 35',
    '9 weakness 12',
    'poll (row 8).',
    '10.1 point 10',
    'product facts D.1',
    'keys that S2 and S3 clients read',
  ])('refuses the old form in %j', (text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0);
  });

  it.each([
    'docs/decisions/0012-delivery-guarantee.md',
    'the ids of seeds.000.quick-start',
    'pages of 100 rows and 50 more',
    'a decision was made',
    'contract, messages',
  ])('lets %j pass', (text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('the list of documents', () => {
  it('has a link to each page of docs/', () => {
    const files = [
      'docs/README.md',
      'docs/with-curl.md',
      'docs/contract/feed.md',
      'README.md',
      'docs/data.json',
    ];
    const index = '- [feed](contract/feed.md#rows)\n';
    expect(checkIndex(index, files)).toEqual(['docs/README.md: no link to docs/with-curl.md']);
    expect(checkIndex(`${index}- [curl](with-curl.md)\n`, files)).toEqual([]);
  });
});

describe('anchors', () => {
  it('are generated as GitHub does', () => {
    expect([
      ...anchorsOf("# 0027. `Origin` and the organisation\n## What it's for\n## Twice\n## Twice\n"),
    ]).toEqual(['0027-origin-and-the-organisation', 'what-its-for', 'twice', 'twice-1']);
  });

  it('do not come from code', () => {
    expect([...anchorsOf('# A\n```sh\n# not a heading\n```\n')]).toEqual(['a']);
  });
});
