import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { nodeCheckOf } from './node-check.mjs';

const MANIFEST = {
  name: 'checked',
  engines: { node: '>=22.19' },
  sideEffects: ['./dist/node-check.js', './dist/cjs/node-check.js'],
};

/** Runs the check where `process` is this. */
const runWith = (process: unknown) => {
  try {
    return runInNewContext(nodeCheckOf(MANIFEST) ?? '', process === undefined ? {} : { process });
  } catch (error) {
    return (error as Error).message;
  }
};
const refused = (version: string) =>
  `checked needs Node 22.19 or newer and this is Node ${version}: install a newer one from https://nodejs.org.`;

describe('the check of the version of Node', () => {
  it.each(['18.20.8', '20.9.0', '22.2.0', '22.18.0'])('throws on %s', (node) => {
    expect(runWith({ versions: { node, uv: '1.50.0' } })).toBe(refused(node));
  });

  it.each(['22.19.0', '22.20.1', '24.0.0', '30.1.0'])('accepts %s', (node) => {
    expect(runWith({ versions: { node, uv: '1.50.0' } })).toBeUndefined();
  });

  it.each([
    ['a browser', undefined],
    ['a bundler with an empty process', {}],
    ['a worker whose process has a version only', { versions: { node: '20.0.0' } }],
    ['Bun', { versions: { node: '20.0.0', uv: '1.50.0', bun: '1.0.0' } }],
    ['Deno', { versions: { node: '20.0.0', uv: '1.50.0', deno: '2.0.0' } }],
  ])('accepts %s', (_name, process) => {
    expect(runWith(process)).toBeUndefined();
  });

  it('is written where sideEffects names it, and needs a version with major and minor', () => {
    expect(nodeCheckOf({ ...MANIFEST, sideEffects: false })).toBeUndefined();
    expect(() => nodeCheckOf({ ...MANIFEST, engines: { node: '^22' } })).toThrow(/engines\.node/);
  });
});
