import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { install, link, type PackageName, ROOT, write } from './packed-modules.ts';
import type { ModuleFormat } from './programs.ts';

export type NestVersion = 10 | 11 | 12;

export interface NestCompilation {
  /** The answer to the question of `nest new`. @default true */
  readonly strict?: boolean;
  /** @default the newest that the template installs: 5.9, with NestJS 12 6.0 */
  readonly typescript?: '5.1';
  /** Further arguments of the compiler. */
  readonly arguments?: readonly string[];
}

export interface NestRun {
  /** `null` for a program that did not end by itself. */
  readonly status: number | null;
  readonly output: string;
  /** What it wrote to stderr. */
  readonly errors: string;
}

const NEST = join(ROOT, 'nest');
const GUIDES = join(ROOT, '../../examples/guides/src');
const VERSIONS: readonly NestVersion[] = [10, 11, 12];
const PACKAGES: readonly PackageName[] = [
  'ai-sdk',
  'core',
  'langchain',
  'nestjs',
  'net-guard',
  'platform',
  'protocol',
  'telemetry',
];
/** For samples whose handlers are agents of these. */
const FRAMEWORKS = { ai: ['ai'], langchain: ['@langchain/core', '@langchain/langgraph', 'langchain'] };
/** Ends a program that does not end by itself. */
const TIME_LIMIT_MS = 180_000;
/** Import paths of ES modules, which Jest does not find as CommonJS. */
const EXTENSIONS = /(?<=from '\.\.?\/[^']+)\.js(?=')/g;

/** Fresh applications of NestJS with the packed packages: a folder for each version, and in it one for each module format. */
export class NestProjects {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-nest-'));
    const [first, ...others] = VERSIONS.map((version) => join(this.folder, String(version), 'node_modules'));
    if (first === undefined) return;
    install(dirname(first), PACKAGES);
    for (const [framework, packages] of Object.entries(FRAMEWORKS)) {
      const owner = realpathSync(
        join(ROOT, 'node_modules/@molecule-ai', framework === 'ai' ? 'ai-sdk' : framework),
      );
      // What a framework depends on lies beside it.
      const beside = dirname(realpathSync(join(owner, 'node_modules', framework)));
      for (const name of packages) link(join(beside, name), join(first, name));
    }
    for (const library of ['commonjs', 'module'])
      cpSync(join(NEST, 'libraries', library), join(first, `${library}-library`), { recursive: true });
    for (const modules of others) cpSync(first, modules, { recursive: true, verbatimSymlinks: true });
    for (const version of VERSIONS) {
      this.#installFramework(version);
      for (const format of ['cjs', 'esm'] as const) this.#createApplication(version, format);
    }
  }

  /** Compiles an application with the samples of the README as `nest build` does. Returns what the compiler reports, `''` for nothing. */
  compile(version: NestVersion, format: ModuleFormat, options: NestCompilation = {}): Promise<string> {
    return this.#compile(version, format, 'tsconfig.build.json', options);
  }

  /** Compiles a class that imports a message without `import type`. Returns what the compiler reports, `''` for nothing. */
  compileWithoutImportType(version: NestVersion, format: ModuleFormat): Promise<string> {
    const options = { extends: './tsconfig.json', compilerOptions: { noEmit: true, incremental: false } };
    const include = ['test/without-import-type.ts'];
    const file = join(this.#application(version, format), 'tsconfig.one.json');
    write(file, JSON.stringify({ ...options, include, exclude: [] }));
    return this.#compile(version, format, 'tsconfig.one.json', {});
  }

  /** Runs the compiled application until it ends by itself. */
  run(version: NestVersion, format: ModuleFormat, folder = 'dist'): Promise<NestRun> {
    return execute([process.execPath, join(folder, 'main.js')], this.#application(version, format));
  }

  /** Runs the tests of an application by `npm test` of its template, with further arguments. */
  test(version: NestVersion, format: ModuleFormat, ...more: readonly string[]): Promise<NestRun> {
    const application = this.#application(version, format);
    const { scripts } = JSON.parse(readFileSync(join(application, 'package.json'), 'utf8'));
    return execute(['sh', '-c', [scripts.test, ...more].join(' ')], application);
  }

  /** Runs the tests of an application by Jest with ES modules. */
  testByJestWithModules(version: NestVersion, ...more: readonly string[]): Promise<NestRun> {
    const jest = [
      '--experimental-vm-modules',
      'node_modules/jest/bin/jest.js',
      '--config',
      'jest-esm.config.mjs',
    ];
    return execute([process.execPath, ...jest, ...more], this.#application(version, 'esm'));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #application(version: NestVersion, format: ModuleFormat): string {
    return join(this.folder, String(version), format);
  }

  async #compile(version: NestVersion, format: ModuleFormat, project: string, options: NestCompilation) {
    const { strict = true, typescript, arguments: more = [] } = options;
    const application = this.#application(version, format);
    const template = templateOf(version, format, 'template');
    write(join(application, 'tsconfig.json'), template.replaceAll('<%= strict %>', String(strict)));
    const compiler =
      typescript === undefined
        ? join(application, 'node_modules/typescript')
        : join(ROOT, `node_modules/typescript-${typescript}`);
    const command = [process.execPath, join(compiler, 'lib/tsc.js'), '-p', project, ...more];
    const { output, errors } = await execute(command, application);
    return output + errors;
  }

  /** Links what a fresh application of this version installs. */
  #installFramework(version: NestVersion): void {
    const installed = join(NEST, String(version));
    const modules = join(this.folder, String(version), 'node_modules');
    const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      const path = join(modules, name);
      // What our packages have beside them is the application's here.
      rmSync(path, { force: true, recursive: true });
      link(join(installed, 'node_modules', name), path);
      const { bin } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      if (typeof bin === 'string') link(join(path, bin), join(modules, '.bin', name));
      else
        for (const [file, target] of Object.entries<string>(bin ?? {}))
          link(join(path, target), join(modules, '.bin', file));
    }
  }

  #createApplication(version: NestVersion, format: ModuleFormat): void {
    const application = this.#application(version, format);
    const templates = (kind: string) => templateOf(version, format, kind);
    const manifest = JSON.parse(templates('package.template').replaceAll(/^<% if .*<% } %>/gms, ''));
    if (format === 'esm') manifest.type = 'module';
    write(join(application, 'package.json'), JSON.stringify(manifest));
    write(join(application, 'tsconfig.build.json'), filled(templates('build.template')));
    if (version === 12) {
      const runner = format === 'esm' ? 'vitest' : 'jest';
      write(join(application, `${runner}.config.ts`), filled(templates(`${runner}.template`)));
    }
    cpSync(join(NEST, 'jest-esm.template'), join(application, 'jest-esm.config.mjs'));
    symlinkSync('../node_modules', join(application, 'node_modules'));
    const sources = [
      ...filesOf(join(NEST, 'app'), 'src', () => true),
      ...filesOf(GUIDES, 'src/samples', (name) => name.startsWith('nestjs-')),
      ...filesOf(join(NEST, 'careless'), 'test', () => true),
    ];
    for (const { path, source } of sources)
      write(join(application, path), format === 'cjs' ? source.replaceAll(EXTENSIONS, '') : source);
  }
}

/** Those of ES modules are others since NestJS 12. */
function templateOf(version: NestVersion, format: ModuleFormat, kind: string): string {
  const isOwn = version === 12 && format === 'esm' && !kind.startsWith('build');
  return readFileSync(join(NEST, `${version}${isOwn ? '-esm' : ''}.${kind}`), 'utf8');
}

function filled(template: string): string {
  return template.replaceAll('<%= specFileSuffix %>', 'spec');
}

function filesOf(folder: string, target: string, isWanted: (name: string) => boolean) {
  const names = readdirSync(folder).filter(isWanted);
  return names.map((name) => ({
    path: join(target, name),
    source: readFileSync(join(folder, name), 'utf8'),
  }));
}

async function execute([file = '', ...rest]: readonly string[], cwd: string): Promise<NestRun> {
  const path = [join(cwd, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH];
  const child = spawn(file, rest, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIME_LIMIT_MS,
    killSignal: 'SIGKILL',
    env: { PATH: path.join(delimiter), HOME: process.env.HOME, NODE_NO_WARNINGS: '1', NO_COLOR: '1' },
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [output, errors, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, output, errors };
}
