import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { link, ROOT, resolve, write } from './packed-modules.ts';

/** The version of zod that the application has. */
export type ZodVersion = '3.25' | '4.1' | 'newest';
export type ModuleFormat = 'esm' | 'cjs';

const FORMATS: Readonly<Record<ModuleFormat, string>> = { esm: 'module', cjs: 'commonjs' };

/** The sources of one folder in an application, once for each module format. */
export class Programs {
  readonly #folder: string;

  /** @param folder of the application @param source folder of this package with the programs */
  constructor(folder: string, source: string) {
    this.#folder = folder;
    link(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
    for (const [format, type] of Object.entries(FORMATS)) {
      cpSync(join(ROOT, source), join(folder, format), { recursive: true });
      for (const target of [format, `out/${format}`])
        write(join(folder, target, 'package.json'), JSON.stringify({ type }));
    }
  }

  /** Compiles programs for {@link run}. Returns what the compiler reports; `''` when it has nothing to report. */
  compile(names: readonly string[], formats: readonly ModuleFormat[], { skipLibCheck = false } = {}): string {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable', 'dom', 'dom.asynciterable'],
      types: ['node'],
      strict: true,
      outDir: 'out',
      rootDir: '.',
      skipLibCheck,
    };
    const files = formats.flatMap((format) => names.map((name) => `${format}/${name}.ts`));
    write(join(this.#folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const compiler = join(dirname(resolve('typescript/package.json')), 'bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', '.'], {
      cwd: this.#folder,
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  /** Runs a compiled program; returns the JSON that it writes. It may write nothing else. */
  run(name: string, format: ModuleFormat): unknown {
    const env = { PATH: process.env.PATH, NODE_NO_WARNINGS: '1' };
    const file = join('out', format, `${name}.js`);
    const options = { cwd: this.#folder, encoding: 'utf8', env } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], options);
    if (status !== 0 || stderr !== '') throw new Error(`${file} ended with ${status}.\n${stderr}`);
    return JSON.parse(stdout);
  }
}

/** Our packages keep their own zod where the application has another, as npm does it. */
export function keepOwnZod(folder: string, packages: readonly string[]): void {
  for (const name of packages)
    link(zodOf('newest'), join(folder, 'node_modules/@molecule-ai', name, 'node_modules/zod'));
}

export function zodOf(version: ZodVersion): string {
  if (version === '3.25') return join(ROOT, 'node_modules/zod');
  if (version === '4.1') return join(ROOT, 'node_modules/zod-4.1');
  return join(realpathSync(join(ROOT, 'node_modules/@molecule-ai/protocol')), 'node_modules/zod');
}

export function versionIn(folder: string): string {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}
