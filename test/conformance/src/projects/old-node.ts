import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './packed-modules.ts';
import type { ModuleFormat } from './programs.ts';

/** The first Node 20 with long-term support, and a Node 22 that is a little too old. */
export type OldNodeVersion = '20' | '22.12';
/** What importing an entry throws; `null` when it throws nothing. */
export type ImportFailures = Readonly<
  Record<string, { readonly message: string; readonly code?: string } | null>
>;

export interface OldNodeRun {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

const SCOPE = join(ROOT, 'node_modules/@molecule-ai');
const SYNTAX = { esm: 'module', cjs: 'commonjs' } as const;

/** A Node that is older than the packages need. */
export class OldNode {
  readonly #program: string;
  /** As it reports it. */
  readonly version: string;

  constructor(version: OldNodeVersion) {
    this.#program = join(ROOT, `old-nodes/node_modules/node-${version}/bin/node`);
    this.version = this.run(['--version']).output.trim().slice(1);
  }

  /** Imports each entry of the packages that has the format, and reports what that throws. */
  importEntries(format: ModuleFormat): ImportFailures {
    const load = format === 'esm' ? 'import(name)' : 'require(name)';
    const script = `(async () => {
      const failures = {};
      for (const name of ${JSON.stringify(entriesOf(format))}) {
        failures[name] = null;
        try { await ${load}; } catch (error) { failures[name] = { message: error.message, code: error.code }; }
      }
      process.stdout.write(JSON.stringify(failures));
    })()`;
    const { output, errors } = this.run([`--input-type=${SYNTAX[format]}`, '--eval', script]);
    if (output === '') throw new Error(errors);
    return JSON.parse(output);
  }

  run(given: readonly string[]): OldNodeRun {
    // Neither flags nor a cache of compiled code from outside.
    const options = { cwd: ROOT, encoding: 'utf8', env: { PATH: process.env.PATH } } as const;
    const { status, stdout, stderr, error } = spawnSync(this.#program, given, options);
    if (error !== undefined) throw error;
    return { status, output: stdout, errors: stderr };
  }

  /** Path of the program of a package. */
  binOf(name: string): string {
    const { bin } = manifestOf(name);
    return join(SCOPE, name, Object.values<string>(bin)[0] ?? '');
  }
}

function entriesOf(format: ModuleFormat): string[] {
  return readdirSync(SCOPE).flatMap((name) => {
    const entries = Object.entries<Record<string, unknown>>(manifestOf(name).exports);
    return entries
      .filter(([, target]) => typeof target === 'object' && (format === 'esm' || 'require' in target))
      .map(([entry]) => `@molecule-ai/${name}${entry.slice(1)}`);
  });
}

function manifestOf(name: string) {
  return JSON.parse(readFileSync(join(SCOPE, name, 'package.json'), 'utf8'));
}
