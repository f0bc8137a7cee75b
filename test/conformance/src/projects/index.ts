import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, link, ROOT, resolve, write } from './packed-modules.ts';

export { type AiSdkProgram, AiSdkProject, type AiVersion } from './ai-sdk-project.ts';
export { JestProject, type JestRun } from './jest-project.ts';
export { type JestTypes, TypedJestProject } from './jest-types.ts';
export { type LangChainProgram, LangChainProject, type LangChainVersion } from './langchain-project.ts';
export { type NestCompilation, NestProjects, type NestRun, type NestVersion } from './nest-project.ts';
export { Node10Project } from './node10-project.ts';
export { type ImportFailures, OldNode, type OldNodeRun, type OldNodeVersion } from './old-node.ts';
export type { ModuleFormat, ZodVersion } from './programs.ts';
export { StrictProject } from './strict-project.ts';
export { type ApiVersion, TelemetryProject } from './telemetry-project.ts';

export interface CompilerOptions {
  /** Major version of NestJS whose template is used. */
  readonly nest: 10 | 11 | 12;
  readonly typescript: '5.1' | '5.9' | '6.0';
  /** The answer to the question of `nest new`. */
  readonly strict: boolean;
}

export interface Compilation {
  /** What the compiler reports; `''` when it has nothing to report. */
  readonly problems: string;
  /** Path of the compiled program. */
  readonly main: string;
}

/** A CommonJS application in a folder of its own, with the packed packages and the adapter in its `node_modules`. */
export class ConsumerApplication {
  readonly folder: string;
  readonly #compiled = new Map<string, Compilation>();

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-consumer-'));
    const modules = join(this.folder, 'node_modules');
    install(this.folder, ['core', 'protocol', 'telemetry']);
    link(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
    // The template of NestJS 12 names the types of its test runner.
    write(join(modules, '@types/jest/package.json'), '{ "name": "@types/jest", "version": "0.0.0" }');
    write(join(modules, '@types/jest/index.d.ts'), 'export {};');
    cpSync(join(ROOT, 'adapter'), join(modules, 'esm-adapter'), { recursive: true });
    cpSync(join(ROOT, 'app'), join(this.folder, 'src'), { recursive: true });
    write(join(this.folder, 'package.json'), '{ "name": "application", "private": true }');
  }

  /** Compiles it, once for the same options. */
  compile(options: CompilerOptions): Compilation {
    const key = JSON.stringify(options);
    const compiled = this.#compiled.get(key) ?? this.#compile(options);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #compile({ nest, typescript, strict }: CompilerOptions): Compilation {
    const template = readFileSync(join(ROOT, `nest/${nest}.template`), 'utf8');
    const name = `${nest}-${typescript}-${strict}`;
    write(join(this.folder, `tsconfig.${name}.json`), template.replaceAll('<%= strict %>', String(strict)));
    const output = join(this.folder, 'out', name);
    const compiler = join(dirname(resolve(`typescript-${typescript}/package.json`)), 'lib/tsc.js');
    const files = ['-p', `tsconfig.${name}.json`, '--outDir', output, '--incremental', 'false'];
    const problems = reported(() =>
      execFileSync(process.execPath, [compiler, ...files], { cwd: this.folder }),
    );
    const [main = ''] = globSync('**/main.js', { cwd: output });
    return { problems, main: join(output, main) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function reported(compile: () => void): string {
  try {
    compile();
    return '';
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: Buffer };
    return stdout?.toString() || message;
  }
}
