import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { link, ROOT, resolve, write } from './packed-modules.ts';

const SCOPE = '@molecule-ai';

export interface Node10Problems {
  /** What the compiler reports for the program and for our declarations. */
  readonly own: readonly string[];
  /** The files of other packages that it reports something for, with `/` from the folder of the package on. */
  readonly others: readonly string[];
}

/**
 * A CommonJS project that imports every entry with a CommonJS build, compiled with the module resolution of Node 10, which reads
 * `typesVersions` and not `exports`, and without `skipLibCheck`.
 */
export class Node10Project {
  readonly folder: string;
  readonly entries: readonly string[];

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-node10-'));
    const modules = join(this.folder, 'node_modules');
    const names = readdirSync(join(ROOT, 'node_modules', SCOPE));
    for (const name of names) link(join(ROOT, 'node_modules', SCOPE, name), join(modules, SCOPE, name));
    link(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
    this.entries = names.flatMap((name) => {
      const { exports } = JSON.parse(readFileSync(join(modules, SCOPE, name, 'package.json'), 'utf8'));
      return Object.entries<{ require?: unknown }>(exports)
        .filter(([, target]) => target.require !== undefined)
        .map(([entry]) => `${SCOPE}/${name}${entry.slice(1)}`);
    });
    const imports = this.entries.map((entry, at) => `import * as entry${at} from '${entry}';`);
    const values = this.entries.map((_, at) => `entry${at}`).join(', ');
    write(join(this.folder, 'main.ts'), `${imports.join('\n')}\nexport const all = [${values}];\n`);
    const compilerOptions = {
      module: 'commonjs',
      moduleResolution: 'node10',
      esModuleInterop: true,
      target: 'es2022',
      // Those of the frameworks need the DOM.
      lib: ['es2023', 'esnext.disposable', 'dom', 'dom.asynciterable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    write(join(this.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
  }

  /** With TypeScript 5.9, because later ones have this resolution no more. */
  compile(): Node10Problems {
    const compiler = join(dirname(resolve('typescript-5.9/package.json')), 'lib/tsc.js');
    const { stdout } = spawnSync(process.execPath, [compiler, '-p', '.', '--pretty', 'false'], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    // Further lines of a problem are indented.
    const problems = stdout.split(/\n(?! )/).filter((problem) => problem !== '');
    const isOther = (problem: string): boolean => /^[^(]*\/node_modules\/[^(]*\(/.test(problem);
    const fileOf = (problem: string): string => problem.replace(/^[^(]*\/node_modules\/|\([\s\S]*$/g, '');
    return {
      own: problems.filter((problem) => !isOther(problem)),
      others: [...new Set(problems.filter(isOther).map(fileOf))].sort(),
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
