// Writes what is packed of the package in the current folder into `.package`, the `publishConfig.directory` of its package.json, from which
// pnpm packs: the built files, the README, and pages of docs/ that are packed with it. `prepack` runs it, so nothing in the
// folder of git changes. Packing may happen several times at once: a file that is the same is left alone, and another is replaced in one step.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtFiles } from './build-package.mjs';
import { packedDocs } from './packed-docs.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAGE = '.package';
/** Outside of the folder that is packed. */
const TEMPORARY = `.turbo/staged-${process.pid}`;
const DECLARATION_OR_CODE = /\.(?:js|d\.ts)$/;

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
// Not what turbo left in `dist` when it copied a build from its cache.
const built = builtFiles('.')?.map((file) => `dist/${file}`);
if (built === undefined) throw new Error(`${manifest.name} is not built: run \`npx -y pnpm@12 build\`.`);

const docs = packedDocs({
  folder: relative(ROOT, process.cwd()).replaceAll('\\', '/'),
  name: manifest.name,
  code: built.filter((file) => DECLARATION_OR_CODE.test(file)).map((file) => readFileSync(file, 'utf8')),
  pages: filesIn(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
  read: (path) => readFileSync(join(ROOT, path), 'utf8'),
});
const staged = new Map([
  ...['package.json', 'LICENSE', ...built].map((file) => [file, readFileSync(file)]),
  ...[...docs].map(([file, text]) => [file, Buffer.from(text)]),
]);

for (const [file, content] of staged) {
  const path = join(STAGE, file);
  if (readIfThere(path)?.equals(content)) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(TEMPORARY, content);
  renameSync(TEMPORARY, path);
}
for (const file of filesIn(STAGE)) if (!staged.has(file)) rmSync(join(STAGE, file), { force: true });

function filesIn(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
