import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { install, link, ROOT, write } from './packed-modules.ts';
import { keepOwnZod, type ModuleFormat, Programs, versionIn, type ZodVersion, zodOf } from './programs.ts';

/** The oldest and the newest `ai` of each major version that the adapter takes. */
export type AiVersion = '6.0' | '6' | '7.0' | '7';
export type AiSdkProgram = 'agent' | 'chat' | 'peer-model' | 'typed-application';

const GUIDES = join(ROOT, '../../examples/guides/src');
/** A line of a sample for version 7 only. */
const OF_SEVEN = /^.*\/\/ version 7\n/gm;
/** In a package of the AI SDK, half of its size, which no application reads. */
const LEFT_OUT: ReadonlySet<string> = new Set(['src', 'docs', 'CHANGELOG.md']);

/** An application with the packed packages and the AI SDK, in a folder of its own, as ES modules and as CommonJS. */
export class AiSdkProject {
  readonly folder: string;
  readonly #programs: Programs;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-ai-sdk-'));
    // Declarations of the AI SDK import it.
    link(join(ROOT, 'node_modules/@types/json-schema'), join(this.folder, 'node_modules/@types/json-schema'));
    install(this.folder, ['ai-sdk', 'core', 'net-guard', 'platform', 'protocol', 'telemetry']);
    keepOwnZod(this.folder, ['core', 'platform', 'protocol']);
    this.#programs = new Programs(this.folder, 'ai-sdk');
  }

  /**
   * Gives the application these versions; returns them. The AI SDK is copied and not linked, so that it has the zod of the application, as
   * its peer.
   */
  use(ai: AiVersion, zod: ZodVersion): { readonly ai: string; readonly zod: string } {
    const modules = join(this.folder, 'node_modules');
    const [framework, validator] = [join(modules, 'ai'), join(modules, 'zod')];
    for (const path of [framework, validator]) rmSync(path, { force: true, recursive: true });
    copyPackage('ai', sourceOf(ai), modules);
    link(zodOf(zod), validator);
    return { ai: versionIn(framework), zod: versionIn(validator) };
  }

  /** Returns what the compiler reports; `''` when it has nothing to report. */
  compile(programs: readonly AiSdkProgram[], formats: readonly ModuleFormat[]): string {
    return this.#programs.compile(programs, formats);
  }

  /** Compiles the samples of the package's README, for 6 without their lines for version 7. Returns what the compiler reports. */
  compileSamples(ai: AiVersion): string {
    const names = readdirSync(GUIDES).filter((file) => /^ai-sdk-.*\.ts$/.test(file));
    for (const name of names) {
      const sample = readFileSync(join(GUIDES, name), 'utf8');
      write(
        join(this.folder, 'esm/samples', name),
        ai.startsWith('6') ? sample.replace(OF_SEVEN, '') : sample,
      );
    }
    return this.#programs.compile(
      names.map((name) => `samples/${name.slice(0, -'.ts'.length)}`),
      ['esm'],
      { skipLibCheck: true },
    );
  }

  /** Runs a compiled program; returns the JSON that it writes. */
  run(program: AiSdkProgram, format: ModuleFormat): unknown {
    return this.#programs.run(program, format);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function sourceOf(version: AiVersion): string {
  // The newest 7 is what our own package is developed with.
  const owner = version === '7' ? realpathSync(join(ROOT, 'node_modules/@molecule-ai/ai-sdk')) : ROOT;
  return realpathSync(join(owner, 'node_modules', version === '7' ? 'ai' : `ai-${version}`));
}

/** Copies a package, and into it what it depends on and what no package around it has. */
function copyPackage(name: string, source: string, modules: string, around: readonly string[] = []): void {
  const target = join(modules, name);
  cpSync(source, target, { recursive: true, filter: (path) => !LEFT_OUT.has(relative(source, path)) });
  // What a package depends on lies beside it.
  const beside = source.slice(0, -name.length);
  const { dependencies = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  const missing = Object.keys(dependencies)
    .map((dependency) => ({ dependency, path: realpathSync(join(beside, dependency)) }))
    .filter(({ path }) => !around.includes(path));
  const known = [...around, ...missing.map(({ path }) => path)];
  for (const { dependency, path } of missing)
    copyPackage(dependency, path, join(target, 'node_modules'), known);
}
