import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, write } from './packed-modules.ts';

const { resolve } = createRequire(import.meta.url);

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

  run(): JestRun {
    const jest = join(dirname(resolve('jest/package.json')), 'bin/jest.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [jest, '--ci'], {
      cwd: this.folder,
      encoding: 'utf8',
      // Nothing but the project's own packages can be found.
      env: { ...process.env, NODE_PATH: '' },
    });
    return { hasPassed: status === 0, output: stdout + stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
