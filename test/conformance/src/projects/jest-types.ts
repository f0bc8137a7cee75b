import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, link, ROOT, resolve, write } from './packed-modules.ts';

/** Where the types of Jest come from: imports of `@jest/globals`, or the global ones of `@types/jest`. */
export type JestTypes = '@jest/globals' | '@types/jest';

/** A project in TypeScript whose tests for Jest use the matchers, with the packed core. */
export class TypedJestProject {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-jest-types-'));
    install(this.folder, ['core', 'protocol', 'telemetry']);
    const modules = join(this.folder, 'node_modules');
    for (const name of ['@types/node', '@types/jest', '@jest/globals', 'expect'])
      link(join(ROOT, 'node_modules', name), join(modules, name));
    write(join(this.folder, 'package.json'), '{ "name": "project", "private": true }');
    for (const file of ['matchers.ts', 'global-matchers.ts'])
      copyFileSync(join(ROOT, 'jest', file), join(this.folder, file));
    const uses = readFileSync(join(ROOT, 'jest/uses.ts'), 'utf8');
    write(join(this.folder, 'global-uses.ts'), uses);
    write(join(this.folder, 'uses.ts'), `import { expect } from '@jest/globals';\n${uses}`);
  }

  /** Returns what the compiler reports; `''` when it has nothing to report. */
  compile(types: JestTypes): string {
    const isGlobal = types === '@types/jest';
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable'],
      types: isGlobal ? ['node', 'jest'] : ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    };
    const files = isGlobal ? ['global-matchers.ts', 'global-uses.ts'] : ['matchers.ts', 'uses.ts'];
    write(join(this.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const compiler = join(dirname(resolve('typescript/package.json')), 'bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', '.'], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
