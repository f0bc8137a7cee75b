// Bundles the program of core's worker thread into a string of its sources, because a file beside the package is not found from
// the bundles that applications make.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { writeGenerated } from './write-generated.mjs';

const folder = new URL('../packages/core/src/heartbeat-worker/', import.meta.url);
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
writeGenerated('packages/core/src/heartbeat-worker/worker-source.ts', source, 'embed:worker');
