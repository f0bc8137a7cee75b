import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, link, ROOT, write } from './packed-modules.ts';

const { resolve } = createRequire(import.meta.url);

/**
 * The versions of LangChain and LangGraph: the oldest that the adapter takes, those that it is developed with, or the oldest core of
 * LangChain without the two.
 */
export type LangChainVersion = 'oldest' | 'newest' | 'core-alone';
/** The version of zod that the application has. */
export type ZodVersion = '3.25' | '4.1' | 'newest';
export type ModuleFormat = 'esm' | 'cjs';
export type LangChainProgram = 'agent' | 'chain';

const FRAMEWORK = ['@langchain/core', '@langchain/langgraph', '@langchain/langgraph-checkpoint', 'langchain'];
const PROGRAMS = ['agent.ts', 'chain.ts', 'scripted-model.ts'];
const FORMATS: Readonly<Record<ModuleFormat, string>> = { esm: 'module', cjs: 'commonjs' };

/** An application with the packed packages and LangChain, in a folder of its own, as ES modules and as CommonJS. */
export class LangChainProject {
  readonly folder: string;
  #langchain: LangChainVersion = 'newest';

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-langchain-'));
    install(this.folder, ['core', 'langchain', 'net-guard', 'platform', 'protocol', 'telemetry']);
    link(join(ROOT, 'node_modules/@types/node'), this.#module('@types/node'));
    // As npm does where the application has another version.
    for (const name of ['core', 'platform', 'protocol'])
      link(zodOf('newest'), this.#module(`@molecule-ai/${name}/node_modules/zod`));
    for (const [format, type] of Object.entries(FORMATS)) {
      mkdirSync(join(this.folder, format));
      for (const program of PROGRAMS)
        copyFileSync(join(ROOT, 'langchain', program), join(this.folder, format, program));
      for (const folder of [format, `out/${format}`])
        write(join(this.folder, folder, 'package.json'), JSON.stringify({ type }));
    }
  }

  /** Gives the application these versions; returns them, by the names of the packages that it has. */
  use(langchain: LangChainVersion, zod: ZodVersion): Readonly<Record<string, string>> {
    this.#langchain = langchain;
    for (const name of [...FRAMEWORK, 'zod']) rmSync(this.#module(name), { force: true, recursive: true });
    const modules = [...frameworkOf(langchain), ['zod', zodOf(zod)] as const];
    for (const [name, target] of modules) link(target, this.#module(name));
    const versionIn = (target: string): string =>
      JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')).version;
    return Object.fromEntries(modules.map(([name, target]) => [name, versionIn(target)]));
  }

  /** Compiles programs for {@link run}. Returns what the compiler reports; `''` when it has nothing to report. */
  compile(programs: readonly LangChainProgram[], formats: readonly ModuleFormat[]): string {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable', 'dom'],
      types: ['node'],
      strict: true,
      outDir: 'out',
      rootDir: '.',
      // Declarations of the oldest `langchain` have an error of their own.
      skipLibCheck: this.#langchain === 'oldest',
    };
    const files = formats.flatMap((format) => programs.map((name) => `${format}/${name}.ts`));
    write(join(this.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const compiler = join(dirname(resolve('typescript/package.json')), 'bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', '.'], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  /** Runs a compiled program; returns the JSON that it writes. */
  run(program: LangChainProgram, format: ModuleFormat): unknown {
    const env = { PATH: process.env.PATH, NODE_NO_WARNINGS: '1' };
    const file = join('out', format, `${program}.js`);
    return JSON.parse(execFileSync(process.execPath, [file], { cwd: this.folder, encoding: 'utf8', env }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #module(name: string): string {
    return join(this.folder, 'node_modules', name);
  }
}

function frameworkOf(version: LangChainVersion): (readonly [name: string, target: string])[] {
  if (version === 'core-alone') return [['@langchain/core', join(ROOT, 'node_modules/langchain-core-1.0')]];
  const owner = version === 'newest' ? realpathSync(join(ROOT, 'node_modules/@molecule-ai/langchain')) : ROOT;
  // What LangChain depends on lies beside it.
  const modules = dirname(realpathSync(join(owner, 'node_modules/langchain')));
  return FRAMEWORK.map((name) => [name, join(modules, name)] as const);
}

function zodOf(version: ZodVersion): string {
  if (version === '3.25') return join(ROOT, 'node_modules/zod');
  if (version === '4.1') return join(ROOT, 'node_modules/zod-4.1');
  return join(realpathSync(join(ROOT, 'node_modules/@molecule-ai/protocol')), 'node_modules/zod');
}
