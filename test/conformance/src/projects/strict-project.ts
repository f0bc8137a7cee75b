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

/** What a wrong declaration of a reply made a method. */
const STATUS = `import { type PeerReply } from '@molecule-ai/core';
export const isAnswered = (reply: PeerReply): boolean => reply.status.length > 0 && reply.status === 'answered';
`;

/**
 * A project that imports every published entry, and whose compiler checks their declarations as well. Without types of Node it imports those
 * of core, as a project does that `tsc --init` has made.
 */
export class StrictProject {
  readonly folder: string;
  readonly entries: readonly string[];

  constructor({ hasNodeTypes = true }: { readonly hasNodeTypes?: boolean } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-strict-'));
    const modules = join(this.folder, 'node_modules');
    const packages = hasNodeTypes ? PACKAGES : (['core'] as const);
    for (const name of packages) {
      const scoped = `@molecule-ai/${name}`;
      link(join(ROOT, 'node_modules', scoped), join(modules, scoped));
    }
    if (hasNodeTypes) link(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
    this.entries = packages.flatMap((name) => {
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
      lib: ['es2024', 'esnext.disposable', ...(hasNodeTypes ? [] : ['dom'])],
      types: hasNodeTypes ? ['node'] : [],
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
    return `${imports.join('\n')}\nexport const all = [${this.entries.map((_, at) => `entry${at}`).join(', ')}];\n${STATUS}`;
  }
}
