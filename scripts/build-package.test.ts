import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { removeStaleFiles } from './build-package.mjs';

const SCRIPT = fileURLToPath(new URL('./build-package.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'molecule-build-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const entry = (name: string) => ({
  import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
  require: { types: `./dist/cjs/${name}.d.ts`, default: `./dist/cjs/${name}.js` },
});

const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'built',
    type: 'module',
    engines: { node: '>=22.19' },
    sideEffects: ['./dist/node-check.js', './dist/cjs/node-check.js'],
    exports: { '.': entry('index'), './testing': entry('testing/index'), './package.json': './package.json' },
    bin: { built: './dist/main.js' },
    dependencies: { external: '*' },
  }),
  'tsconfig.build.json': JSON.stringify({
    compilerOptions: {
      module: 'nodenext',
      target: 'es2023',
      rootDir: 'src',
      outDir: 'dist',
      types: [],
      declaration: true,
      emitDeclarationOnly: true,
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: true,
    },
    include: ['src'],
  }),
  'src/index.ts': `
export class Counter {
  #count = 1;
  static read(counter: Counter): number { return counter.#count; }
  fail(): never { throw new Error('failed'); }
}
export const bundled = async () => (await import('bundled')).name;
export const external = async () => (await import('external')).name;
`,
  'src/testing/index.ts': `
import { Counter } from '../index.ts';
Object.assign(globalThis, { testingHasRun: true });
export const makeCounter = () => new Counter();
export const failInEntry = (): never => {
  throw new Error('failed');
};
`,
  'src/main.ts': `#!/usr/bin/env node\nimport { Counter } from './index.ts';\nnew Counter();\n`,
  'src/modules.d.ts': `declare module 'bundled' { export const name: string; }
declare module 'external' { export const name: string; }\n`,
  'node_modules/bundled/package.json': JSON.stringify({ name: 'bundled', version: '1.2.3', type: 'module' }),
  'node_modules/bundled/index.js': `export const name = 'the bundled one';\n`,
  'node_modules/bundled/LICENSE': 'The licence of the bundled one.\n',
  'node_modules/external/package.json': JSON.stringify({ name: 'external', version: '1.0.0' }),
  'node_modules/external/index.js': `exports.name = 'the external one';\n`,
};

const write = (name: string, text: string) => {
  mkdirSync(join(root, name, '..'), { recursive: true });
  writeFileSync(join(root, name), text);
};

/** Files that an earlier build left behind. */
const STALE = ['chunks/old-ABCDEFGH.js', 'old.d.ts', 'cjs/old.js'];
const exist = (names: readonly string[]) => names.map((name) => existsSync(join(root, 'dist', name)));

beforeAll(() => {
  for (const [name, text] of Object.entries(FILES)) write(name, text);
  for (const name of STALE) write(`dist/${name}`, '');
  execFileSync(process.execPath, [SCRIPT], { cwd: root, stdio: 'inherit' });
  rmSync(join(root, 'node_modules/bundled'), { recursive: true });
});

function run(type: 'module' | 'commonjs', script: string, ...flags: string[]): unknown {
  const args = [...flags, `--input-type=${type}`, '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
}

/** What a program sees that loads both entries, with source maps. */
const SEEN = `
const before = globalThis.testingHasRun === true;
const { makeCounter, failInEntry } = await load('built/testing');
const counter = makeCounter();
const stackOf = (fail) => {
  try {
    return fail();
  } catch ({ stack }) {
    return stack;
  }
};
console.log(JSON.stringify({
  seen: [before, counter instanceof Counter, Counter.read(counter), await bundled(), await external()],
  stacks: [stackOf(() => counter.fail()), stackOf(failInEntry)],
  isConverted: (await load('built')).__esModule,
}));
`;
const EXPECTED = {
  seen: [false, true, 1, 'the bundled one', 'the external one'],
  // The one of the second entry is not in a chunk: there the check of Node is a line before the code.
  stacks: [expect.stringContaining('src/index.ts:5:'), expect.stringContaining('src/testing/index.ts:6:')],
};

it('the ES modules share classes, bundle development dependencies, and have maps to the TypeScript', () => {
  const script = `const load = (name) => import(name); const { Counter, bundled, external } = await load('built');`;
  expect(run('module', script + SEEN, '--enable-source-maps')).toEqual(EXPECTED);
});

describe('the CommonJS build', () => {
  it('does the same, runs an entry when it is first required, and is marked as converted', () => {
    const script = `const load = require; const { Counter, bundled, external } = load('built');`;
    const program = `(async () => { ${script} ${SEEN} })()`;
    expect(run('commonjs', program, '--enable-source-maps')).toEqual({ ...EXPECTED, isConverted: true });
  });

  it('has no import(), and the declarations of the ES modules', () => {
    expect(readFileSync(join(root, 'dist/cjs/bundle.js'), 'utf8')).not.toMatch(/\bimport\(/);
    for (const name of ['index.d.ts', 'testing/index.d.ts']) {
      const [esm, cjs] = ['dist', 'dist/cjs'].map((dist) => readFileSync(join(root, dist, name), 'utf8'));
      expect(cjs).toBe(esm);
    }
    expect(JSON.parse(readFileSync(join(root, 'dist/cjs/package.json'), 'utf8'))).toEqual({
      type: 'commonjs',
    });
    expect(
      readdirSync(join(root, 'dist'), { recursive: true }).filter((name) => `${name}`.endsWith('.d.ts.map')),
    ).toEqual([]);
  });
});

it.each(['dist', 'dist/cjs'])(
  '%s checks the version of Node before anything else, also in a bundle',
  async (dist) => {
    const check = join(root, dist, 'node-check.js');
    const written = readFileSync(check, 'utf8');
    onTestFinished(() => writeFileSync(check, written));
    writeFileSync(check, "throw new Error('checked');\n");
    const isCommonJs = dist.endsWith('cjs');
    const script = isCommonJs
      ? `const { makeCounter } = require('built/testing'); makeCounter();`
      : `import { makeCounter } from 'built/testing'; makeCounter();`;
    const type = isCommonJs ? 'commonjs' : 'module';
    expect(() => run(type, script)).toThrow(/Error: checked/);
    const stdin = { contents: script, resolveDir: root };
    const { outputFiles } = await build({
      stdin,
      bundle: true,
      write: false,
      platform: 'node',
      external: ['external'],
    });
    const args = ['--eval', `globalThis.require = require; ${outputFiles[0]?.text}`];
    expect(() => execFileSync(process.execPath, args, { stdio: 'pipe' })).toThrow(/Error: checked/);
  },
);

it('puts the licences of what it bundled beside it, and makes bins executable', () => {
  const licences = readFileSync(join(root, 'dist/third-party-licences.txt'), 'utf8');
  expect(licences).toBe('bundled 1.2.3\n\nThe licence of the bundled one.\n');
  expect(execFileSync(join(root, 'dist/main.js'), { encoding: 'utf8' })).toBe('');
});

it('deletes what earlier builds left in dist, and what a copy from a cache did', () => {
  expect(exist(STALE)).toEqual([false, false, false]);
  const list = () => readdirSync(join(root, 'dist'), { recursive: true }).map(String).sort();
  const built = list();
  expect(built).toEqual(
    expect.arrayContaining(['index.js', 'index.js.map', 'index.d.ts', 'main.js', 'testing', 'cjs', 'chunks']),
  );
  for (const name of STALE) write(`dist/${name}`, '');
  removeStaleFiles(root);
  expect(list()).toEqual(built);
});
