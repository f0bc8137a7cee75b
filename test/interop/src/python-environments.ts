import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PACKAGE = new URL('../', import.meta.url);

/**
 * The interpreter of the virtual environment with the packages of `requirements-<version>.txt`. It is made anew when the
 * file has changed.
 * @throws when Python, its venv module or a package cannot be had
 */
export function pythonEnvironment(version: '0.3' | '1.0'): string {
  const requirements = fileURLToPath(new URL(`requirements-${version}.txt`, PACKAGE));
  const folder = fileURLToPath(new URL(`.python/${version}`, PACKAGE));
  const interpreter = `${folder}/bin/python`;
  const stamp = `${folder}/requirements.sha256`;
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash && runs(interpreter)) return interpreter;
  process.stderr.write(
    `Installing the Python SDK of A2A ${version} into test/interop/.python: a minute or two.\n`,
  );
  rmSync(folder, { recursive: true, force: true });
  run(
    'python3',
    ['-m', 'venv', folder],
    'Install python3 and python3-venv; the version must be 3.10 or newer.',
  );
  const install = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--disable-pip-version-check',
    '--requirement',
  ];
  run(interpreter, [...install, requirements], `The packages of ${requirements} cannot be installed.`);
  writeFileSync(stamp, hash);
  return interpreter;
}

function runs(interpreter: string): boolean {
  return spawnSync(interpreter, ['-c', 'import a2a']).status === 0;
}

function run(file: string, args: readonly string[], hint: string): void {
  const { status, error, stderr, stdout } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${file} ${args.join(' ')} failed. ${hint}\n${error?.message ?? `${stdout}${stderr}`}`);
}
