import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { link, type PackageName, ROOT, resolve, write } from './packed-modules.ts';

// Without `ai-sdk`: declarations of the AI SDK need those of the DOM, with which `AiSdkProject` compiles them.
const PACKAGES: readonly PackageName[] = [
  'core',
  'langchain',
  'net-guard',
  'platform',
  'protocol',
  'telemetry',
];

/** A project that imports every published entry, and whose compiler checks their declarations as well. */
export class StrictProject {
  readonly folder: string;
  readonly entries: readonly string[];

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-strict-'));
    const modules = join(this.folder, 'node_modules');
    for (const name of PACKAGES) {
      const scoped = `@molecule-ai/${name}`;
      link(join(ROOT, 'node_modules', scoped), join(modules, scoped));
    }
    link(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
    this.entries = PACKAGES.flatMap((name) => {
      const { exports } = JSON.parse(
        readFileSync(join(modules, '@molecule-ai', name, 'package.json'), 'utf8'),
      );
      const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
      return entries.map((entry) => `@molecule-ai/${name}${entry.slice(1)}`);
    });
    for (const extension of ['mts', 'cts']) write(join(this.folder, `main.${extension}`), this.#program());
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    write(
      join(this.folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] }),
    );
  }

  /** Returns what the compiler reports; `''` when it has nothing to report. */
  compile(): string {
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

  #program(): string {
    const imports = this.entries.map((entry, at) => `import * as entry${at} from '${entry}';`);
    return `${imports.join('\n')}\nexport const all = [${this.entries.map((_, at) => `entry${at}`).join(', ')}];\n`;
  }
}
