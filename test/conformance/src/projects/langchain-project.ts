import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, link, ROOT } from './packed-modules.ts';
import { keepOwnZod, type ModuleFormat, Programs, versionIn, type ZodVersion, zodOf } from './programs.ts';

/**
 * The versions of LangChain and LangGraph: the oldest that the adapter takes, those that it is developed with, or the oldest core of
 * LangChain without the two.
 */
export type LangChainVersion = 'oldest' | 'newest' | 'core-alone';
export type LangChainProgram = 'agent' | 'chain';

const FRAMEWORK = ['@langchain/core', '@langchain/langgraph', '@langchain/langgraph-checkpoint', 'langchain'];

/** An application with the packed packages and LangChain, in a folder of its own, as ES modules and as CommonJS. */
export class LangChainProject {
  readonly folder: string;
  readonly #programs: Programs;
  #langchain: LangChainVersion = 'newest';

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-langchain-'));
    install(this.folder, ['core', 'langchain', 'net-guard', 'platform', 'protocol', 'telemetry']);
    keepOwnZod(this.folder, ['core', 'platform', 'protocol']);
    this.#programs = new Programs(this.folder, 'langchain');
  }

  /** Gives the application these versions; returns them, by the names of the packages that it has. */
  use(langchain: LangChainVersion, zod: ZodVersion): Readonly<Record<string, string>> {
    this.#langchain = langchain;
    const path = (name: string): string => join(this.folder, 'node_modules', name);
    for (const name of [...FRAMEWORK, 'zod']) rmSync(path(name), { force: true, recursive: true });
    const modules = [...frameworkOf(langchain), ['zod', zodOf(zod)] as const];
    for (const [name, target] of modules) link(target, path(name));
    return Object.fromEntries(modules.map(([name, target]) => [name, versionIn(target)]));
  }

  /** Returns what the compiler reports; `''` when it has nothing to report. */
  compile(programs: readonly LangChainProgram[], formats: readonly ModuleFormat[]): string {
    // Declarations of the oldest `langchain` have an error of their own.
    return this.#programs.compile(programs, formats, { skipLibCheck: this.#langchain === 'oldest' });
  }

  /** Runs a compiled program; returns the JSON that it writes. */
  run(program: LangChainProgram, format: ModuleFormat): unknown {
    return this.#programs.run(program, format);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function frameworkOf(version: LangChainVersion): (readonly [name: string, target: string])[] {
  if (version === 'core-alone') return [['@langchain/core', join(ROOT, 'node_modules/langchain-core-1.0')]];
  const owner = version === 'newest' ? realpathSync(join(ROOT, 'node_modules/@molecule-ai/langchain')) : ROOT;
  // What LangChain depends on lies beside it.
  const modules = dirname(realpathSync(join(owner, 'node_modules/langchain')));
  return FRAMEWORK.map((name) => [name, join(modules, name)] as const);
}
