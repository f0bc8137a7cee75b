import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { verifies } from './verifies.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LEAST_STRINGS = 40;
/** The last column of a row that was tried, or has a reason why not. */
const TRIED = /^(?:(?<count>\d+) strings|tried|without: (?<reason>.+))$/;

// The tests of the suite compare the pages with what they did.
verifies('adapters.run-the-suite', () => {
  const adapters = globSync('packages/*/package.json', { cwd: ROOT }).filter((file) => {
    const { peerDependencies = {} } = JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
    return '@molecule-ai/core' in peerDependencies;
  });
  const pages = adapters.map((file) => {
    const name = basename(dirname(file));
    return [name, readFileSync(join(ROOT, `test/adapter-contract/matrix/${name}.md`), 'utf8')] as const;
  });
  expect(pages.map(([name]) => name)).toContain('langchain');
  const lists = pages.map(([name, page]) => {
    return [...page.matchAll(/^\| `(.+?)` \| .+ \| ([^|]+) \|$/gm)].map(([, id = '', last = '']) => {
      const { groups } = TRIED.exec(last) ?? {};
      expect(groups, `${name}: ${id}: ${last}`).toBeDefined();
      if (groups?.count !== undefined) expect(Number(groups.count), id).toBeGreaterThan(LEAST_STRINGS);
      return id;
    });
  });
  // One suite: the pages have the same rows.
  for (const list of lists) expect(list).toEqual(lists[0]);
  expect(lists[0]?.length).toBeGreaterThan(50);
});
