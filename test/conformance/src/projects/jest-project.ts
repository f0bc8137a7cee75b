import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, resolve, write } from './packed-modules.ts';

export interface JestRunOptions {
  /** Further arguments of Jest. */
  readonly arguments?: readonly string[];
  /** Added to that of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface JestRun {
  readonly hasPassed: boolean;
  /** What Jest reports. */
  readonly output: string;
}

/** A project with the packed packages and tests for Jest, without any configuration. */
export class JestProject {
  readonly folder: string;

  /** @param tests paths by the names that the files get */
  constructor(tests: Readonly<Record<string, string>>) {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-jest-'));
    install(this.folder, ['core', 'net-guard', 'platform', 'protocol', 'telemetry']);
    write(join(this.folder, 'package.json'), '{ "name": "project", "private": true }');
    for (const [name, file] of Object.entries(tests)) copyFileSync(file, join(this.folder, name));
  }

  async run({ arguments: given = [], environment }: JestRunOptions = {}): Promise<JestRun> {
    const jest = join(dirname(resolve('jest/package.json')), 'bin/jest.js');
    const child = spawn(process.execPath, [jest, '--ci', ...given], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing but the project's own packages can be found.
      env: { ...process.env, NODE_PATH: '', ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [status] = await once(child, 'close');
    return { hasPassed: status === 0, output };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
