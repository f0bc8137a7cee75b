// Runs a task of turbo with its telemetry off, the same way on every system. With --quiet only errors are shown; other flags are turbo's.
// A `dist` that turbo copies from its cache is written over the present one, whose other files are deleted afterwards.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { removeStaleFiles } from './build-package.mjs';

const [task, ...flags] = process.argv.slice(2);
const filters = flags.filter((flag) => flag !== '--quiet');
const quiet = filters.length < flags.length ? ['--output-logs=errors-only', '--log-prefix=none'] : [];
const bin = createRequire(import.meta.url).resolve('turbo/bin/turbo');
const result = spawnSync(process.execPath, [bin, 'run', task, ...filters, ...quiet], {
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' },
  stdio: quiet.length > 0 ? ['ignore', 'pipe', 'pipe'] : 'inherit',
  encoding: 'utf8',
});
if (result.status !== 0 && quiet.length > 0) process.stderr.write(`${result.stdout}${result.stderr}`);
if (result.status === 0) {
  const packages = new URL('../packages/', import.meta.url);
  for (const name of readdirSync(packages)) removeStaleFiles(fileURLToPath(new URL(name, packages)));
}
process.exit(result.status ?? 1);
