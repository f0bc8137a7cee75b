// Builds the package in the current folder into `dist`. `compile` makes the JavaScript, `declare` the declarations, and without an
// argument it does both. What to build follows from its package.json:
// - JavaScript by esbuild, with source maps that contain the TypeScript. Each `import` entry and each bin is an
//   ES module, code that entries share lies in chunks. `dependencies` and `peerDependencies` stay imports, except zod; of
//   zod and of what is a development dependency the parts in use become part of the bundle, with their licences beside it.
// - Where an entry has `require`, CommonJS as well. All entries share one bundle, because a class that exists
//   twice breaks `instanceof` and `#private`; an entry is one line, and its modules run when it is first required.
// - `node-check.js`, if `sideEffects` of package.json names it: each entry runs it before anything else.
// - Declarations by tsc. The CommonJS ones are copies that `dist/cjs/package.json` makes CommonJS.
// Files of an earlier build are deleted last, so that programs that read `dist` meanwhile find theirs.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { nodeCheckOf } from './node-check.mjs';

const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** Starts the line of tsc that names a file. */
const EMITTED = 'TSFILE: ';
/** Lists of the files that the last run of each step wrote, outside of `dist`, which is published; turbo keeps them with its copy of `dist`. */
const LISTS = { compile: '.turbo/compiled-files.json', declare: '.turbo/declared-files.json' };
const NODE_CHECK = 'node-check.js';
/** Dependencies that become part of the bundle: declarations name their types, and loading all of their files takes longer than loading the rest. */
const BUNDLED = ['zod'];

/** The files that the last build of a package wrote, by their paths in `dist`; `undefined` when a step never ran. */
export function builtFiles(folder) {
  const [compiled, declared] = Object.keys(LISTS).map((step) => filesOf(folder, step));
  return compiled && declared ? [...compiled, ...declared] : undefined;
}

function filesOf(folder, step) {
  const list = join(folder, LISTS[step]);
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : undefined;
}

/** Deletes from the `dist` of a package what the last run of each step did not write; nothing of a step that never ran. */
export function removeStaleFiles(folder) {
  const written = Object.fromEntries(Object.keys(LISTS).map((step) => [step, filesOf(folder, step)]));
  const dist = join(folder, 'dist');
  if (!existsSync(dist)) return;
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const step = entry.name.endsWith('.d.ts') ? 'declare' : 'compile';
    const isStale = written[step]?.includes(slashed(relative(dist, file))) === false;
    if (!entry.isDirectory() && isStale) rmSync(file, { force: true });
  }
}

function slashed(path) {
  return path.replaceAll('\\', '/');
}

/** The entries of a package.json, each by its path below `dist` without extension: `index`, `testing/index`. */
export function entriesOf({ exports = {}, bin = {} }) {
  const targets = Object.values(exports).filter((target) => typeof target === 'object');
  const bins = Object.values(bin).map((file) => entryName(file, './dist/'));
  return {
    esm: targets.map((target) => entryName(target.import?.default ?? target.default, './dist/')),
    cjs: targets.flatMap(({ require }) => (require ? [entryName(require.default, './dist/cjs/')] : [])),
    bins,
  };
}

function entryName(file, folder) {
  if (!file?.startsWith(folder) || !file.endsWith('.js')) {
    throw new Error(`package.json: ${file} should be ${folder}<entry>.js`);
  }
  return file.slice(folder.length, -'.js'.length);
}

/** Writes the JavaScript. Returns the files, by their paths in `dist`. */
async function compile(manifest, entries) {
  const options = {
    bundle: true,
    platform: 'node',
    target: 'node22.19',
    external: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
      (name) => !BUNDLED.includes(name),
    ),
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
    logOverride: { 'empty-import-meta': 'error' },
  };
  const { metafile } = await build({
    ...options,
    format: 'esm',
    splitting: true,
    entryPoints: [...entries.esm, ...entries.bins].map((entry) => `src/${entry}.ts`),
    outbase: 'src',
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
  });
  const nodeCheck = nodeCheckOf(manifest);
  if (nodeCheck !== undefined) {
    for (const entry of entries.esm) runNodeCheckFirst(entry);
    writeFileSync(`dist/${NODE_CHECK}`, nodeCheck);
  }
  const required = options.external.filter(
    (name) => manifest.dependencies?.[name] === undefined || !needsEsModules(join('node_modules', name)),
  );
  const commonJs =
    entries.cjs.length > 0
      ? await buildCommonJs(entries.cjs, nodeCheck, { ...options, external: required })
      : undefined;
  for (const bin of entries.bins) chmodSync(`dist/${bin}.js`, 0o755);
  return [
    ...Object.keys(metafile.outputs).map((file) => slashed(relative('dist', file))),
    ...writeLicences([...Object.keys(metafile.inputs), ...(commonJs?.inputs ?? [])]),
    ...(nodeCheck === undefined ? [] : [NODE_CHECK]),
    ...(commonJs?.files ?? []),
  ];
}

/** Writes the declarations, and copies for CommonJS. Returns the files, by their paths in `dist`. */
function declare(entries) {
  const declarations = writeDeclarations();
  if (entries.cjs.length === 0) return declarations;
  for (const file of declarations) cpSync(join('dist', file), join('dist/cjs', file));
  return [...declarations, ...declarations.map((file) => `cjs/${file}`)];
}

async function buildPackage(steps) {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const entries = entriesOf(manifest);
  mkdirSync('.turbo', { recursive: true });
  for (const step of steps) {
    const files = step === 'compile' ? await compile(manifest, entries) : declare(entries);
    writeFileSync(LISTS[step], JSON.stringify(files));
  }
  removeStaleFiles('.');
}

/**
 * Makes the check the first import of an ES module, which is evaluated before the others. Its map gets one line more: lines are separated
 * by `;`.
 */
function runNodeCheckFirst(entry) {
  const file = `dist/${entry}.js`;
  const folder = '../'.repeat(entry.split('/').length - 1) || './';
  writeFileSync(file, `import "${folder}${NODE_CHECK}";\n${readFileSync(file, 'utf8')}`);
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
  writeFileSync(`${file}.map`, `${JSON.stringify({ ...map, mappings: `;${map.mappings}` }, undefined, 2)}\n`);
}

/** Returns the files that it wrote, by their paths in `dist`. */
function writeDeclarations() {
  const { status, stdout } = spawnSync(
    process.execPath,
    [TSC, '-p', 'tsconfig.build.json', '--listEmittedFiles'],
    { encoding: 'utf8', stdio: ['inherit', 'pipe', 'inherit'] },
  );
  const lines = stdout.split(/\r?\n/);
  const messages = lines.filter((line) => line !== '' && !line.startsWith(EMITTED));
  if (messages.length > 0) process.stdout.write(`${messages.join('\n')}\n`);
  if (status !== 0) process.exit(status ?? 1);
  return lines
    .filter((line) => line.startsWith(EMITTED))
    .map((line) => slashed(relative('dist', line.slice(EMITTED.length))));
}

/** Returns the files that it wrote, by their paths in `dist`, and those that the bundle was made of. */
async function buildCommonJs(entries, nodeCheck, options) {
  mkdirSync('dist/cjs', { recursive: true });
  writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
  const getters = entries.map((entry) => `  get '${entry}'() { return require('./src/${entry}.ts'); },`);
  const { metafile } = await build({
    ...options,
    format: 'cjs',
    // `import()` becomes `require()`: Jest runs no `import()` unless it is started with a flag of Node.
    supported: { 'dynamic-import': false },
    stdin: {
      contents: `module.exports = {\n${getters.join('\n')}\n};\n`,
      resolveDir: process.cwd(),
      sourcefile: 'entries.cjs',
    },
    outfile: 'dist/cjs/bundle.js',
  });
  for (const entry of entries) {
    const folder = '../'.repeat(entry.split('/').length - 1) || './';
    mkdirSync(dirname(`dist/cjs/${entry}`), { recursive: true });
    const check = nodeCheck === undefined ? '' : `require('${folder}${NODE_CHECK}');\n`;
    writeFileSync(
      `dist/cjs/${entry}.js`,
      `${check}module.exports = require('${folder}bundle.js')['${entry}'];\n`,
    );
  }
  const own = ['package.json', 'bundle.js', 'bundle.js.map', ...entries.map((entry) => `${entry}.js`)];
  if (nodeCheck !== undefined) {
    writeFileSync(`dist/cjs/${NODE_CHECK}`, nodeCheck);
    own.push(NODE_CHECK);
  }
  return { files: own.map((file) => `cjs/${file}`), inputs: Object.keys(metafile.inputs) };
}

/**
 * Whether a dependency, or one of its own, has nothing for `require()`. Node can load it all the same, Jest cannot: it becomes part
 * of the bundle.
 */
function needsEsModules(folder) {
  const { dependencies = {}, ...manifest } = manifestOf(folder);
  if (isOnlyEsModule(manifest)) return true;
  const real = slashed(realpathSync(folder));
  const installed = real.slice(0, real.lastIndexOf('/node_modules/') + '/node_modules/'.length);
  if (!real.includes('/node_modules/')) return false;
  return Object.keys(dependencies).some((name) => isOnlyEsModule(manifestOf(join(installed, name))));
}

function isOnlyEsModule({ type, exports }) {
  return type === 'module' && !/"(?:require|node)":/.test(JSON.stringify(exports ?? {}));
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** Writes the licences of the packages that these files belong to. Returns the file, by its path in `dist`. */
function writeLicences(files) {
  const roots = files.map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]);
  const texts = [...new Set(roots.filter((root) => root !== undefined))].sort().map((root) => {
    const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const licence = readdirSync(root).find((file) => /^licen[cs]e/i.test(file));
    if (licence === undefined) throw new Error(`${name} has no licence file, so it cannot be bundled`);
    return `${name} ${version}\n\n${readFileSync(join(root, licence), 'utf8').trim()}\n`;
  });
  if (texts.length === 0) return [];
  writeFileSync('dist/third-party-licences.txt', texts.join('\n---\n\n'));
  return ['third-party-licences.txt'];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const step = process.argv[2];
  if (step !== undefined && LISTS[step] === undefined) throw new Error(`no step: ${step}`);
  await buildPackage(step === undefined ? Object.keys(LISTS) : [step]);
}
