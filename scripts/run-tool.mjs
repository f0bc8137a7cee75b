// Runs a program of `tools` in the root of the repository, after installing what its lockfile names.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const tools = fileURLToPath(new URL('../tools/', import.meta.url));

/** Installs the programs; returns the path of one. */
export function installedTool(name) {
  const install = ['--dir', tools, 'install', '--frozen-lockfile', '--reporter=silent'];
  const { status } = spawnSync('pnpm', install, { stdio: 'inherit' });
  if (status !== 0) throw new Error('The programs of the folder tools cannot be installed.');
  return `${tools}node_modules/.bin/${name}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, ...args] = process.argv.slice(2);
  process.exit(spawnSync(installedTool(name), args, { stdio: 'inherit' }).status ?? 1);
}
