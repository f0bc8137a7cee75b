import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Writes a generated file (a path from the root of the repository). With --check it writes nothing, and the process fails with the
 * script of package.json that would write it when the file is not up to date.
 */
export function writeGenerated(path, text, script) {
  const file = fileURLToPath(new URL(path, new URL('../', import.meta.url)));
  if (!process.argv.includes('--check')) return writeFileSync(file, text);
  if (readText(file) === text) return;
  console.error(`${relative('.', file)} is not up to date; run: npx -y pnpm@12 ${script}`);
  process.exitCode = 1;
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
