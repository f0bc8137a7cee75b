// Bundles the program of core's worker thread into a string of its sources, because a file beside the package is not found from
// the bundles that applications make. With --check it writes nothing and fails when the string is not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = new URL('../packages/core/src/heartbeat-worker/', import.meta.url);
const target = new URL('worker-source.ts', folder);
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('worker-program.ts', folder))],
  bundle: true,
  write: false,
  format: 'iife',
  platform: 'node',
  target: 'node22.19',
  minify: true,
  charset: 'ascii',
});
const program = outputFiles[0].text.trim().replaceAll('\\', '\\\\').replaceAll("'", "\\'");
const source = `// Generated from worker-program.ts by scripts/embed-heartbeat-worker.mjs; do not edit.
export const WORKER_SOURCE =
  '${program}';
`;
if (!process.argv.includes('--check')) writeFileSync(target, source);
else if (readFileSync(target, 'utf8') !== source) {
  console.error(
    'packages/core/src/heartbeat-worker/worker-source.ts is not up to date: npx -y pnpm@12 embed:worker',
  );
  process.exit(1);
}
