import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Step } from './documents.ts';
import { type Program, runShell } from './programs.ts';
import type { TestEnvironment } from './test-environment.ts';

/** The oldest Node that the packages support, and the one of this repository. */
export const NODES = {
  '22.19.0': fileURLToPath(
    new URL('../../../consumers/old-nodes/node_modules/node-22.19/bin', import.meta.url),
  ),
  [process.versions.node]: dirname(process.execPath),
} as const;

/** Commands whose last program ends on Ctrl-C. */
const RUNS_ON = /@molecule-ai\/platform --dev|--env-file/;

/** About npm itself and its settings, which are the user's. */
const NOTICES_OF_NPM = /^npm (warn|notice).*\n/gm;

/** What of this process's environment the programs of a reader get. */
const KEPT = ['LANG', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'npm_config_registry', 'npm_config_cafile'];

/**
 * Somebody with an empty folder who does what a page prints, word for word. npm finds the packages of this repository in a registry on
 * this machine. A platform listens on a free port instead of 8080.
 */
export class Reader {
  readonly #environment: TestEnvironment;
  readonly #registry: string;
  readonly #start: string;
  #folder: string;
  #variables: Record<string, string | undefined> = {};
  readonly #running: Program[] = [];
  readonly #programs: { readonly commands: string; readonly program: Program }[] = [];

  /** @param registry URL of the registry that has the packages of this repository */
  constructor(environment: TestEnvironment, registry: string) {
    this.#environment = environment;
    this.#registry = registry;
    this.#start = environment.folder();
    this.#folder = this.#start;
  }

  /** The folder in which the last commands ran. */
  get folder(): string {
    return this.#folder;
  }

  get home(): string {
    return this.#variables.HOME ?? '';
  }

  /** Chooses the Node of the commands that follow; the home folder is empty. */
  useNode(folder: string): void {
    const env = this.#environment;
    const tools = join(env.folder(), 'tools');
    for (const name of ['npm', 'npx']) this.#putTool(tools, name);
    const kept = Object.fromEntries(KEPT.map((name) => [name, process.env[name]]));
    this.#variables = {
      ...kept,
      PATH: [tools, folder, process.env.PATH].join(delimiter),
      HOME: env.folder(),
      // The user's own settings of npm, such as a mirror, and downloads.
      npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), '.npmrc'),
      npm_config_cache: process.env.npm_config_cache ?? join(homedir(), '.npm'),
      npm_config_prefer_offline: 'true',
      npm_config_update_notifier: 'false',
      // What people write by hand is short, and not strict.
      MOLECULE_CONTRACT_CHECK: 'responses',
      NODE_NO_WARNINGS: undefined,
      NO_COLOR: '1',
      PORT: '0',
    };
  }

  /** Does all steps, or those that a second reader of the same folder has left: not the installation. */
  async follow(steps: readonly Step[], { installed = false } = {}): Promise<void> {
    for (const step of steps) {
      if (step.kind === 'file') {
        mkdirSync(dirname(join(this.#folder, step.path)), { recursive: true });
        writeFileSync(join(this.#folder, step.path), step.code);
      } else if (!installed || step.prints !== undefined) await this.run(step.code, step.prints);
    }
  }

  /**
   * Runs commands to their end, or, where a platform or an agent runs on, until they have printed this. `<…>` in it stands for a word that
   * differs each time, `…` for the rest of a line, and a port for any. Commands that end print nothing else.
   */
  async run(commands: string, prints?: string): Promise<Program> {
    const env = { ...this.#variables };
    const program = runShell(this.#environment, commands, { cwd: this.#folder, env });
    this.#programs.push({ commands, program });
    if (RUNS_ON.test(commands)) {
      this.#running.push(program);
      await program.wrote(patternOf(prints ?? '', 'm'));
      const url = /URL +(http:\S+)/.exec(program.output())?.[1];
      if (url !== undefined) this.#variables.MOLECULE_PLATFORM_URL = url;
      return program;
    }
    const { code, output: written } = await program.exit;
    const output = written.replaceAll(NOTICES_OF_NPM, '');
    if (code !== 0) throw new Error(`${commands}\nends with ${code}:\n${output}`);
    if (prints !== undefined && !patternOf(prints, '').test(output.trimEnd()))
      throw new Error(`${commands}\nprints\n${output}\nand the page has\n${prints}`);
    for (const [, folder = ''] of commands.matchAll(/\bcd (\S+)/g)) this.#folder = join(this.#folder, folder);
    return program;
  }

  /** All commands so far, and what they have written. */
  transcript(): string {
    return this.#programs.map(({ commands, program }) => `$ ${commands}${program.output()}`).join('\n');
  }

  /** Ctrl-C in the terminal of the last program that runs on. Returns what it has written. */
  async interruptLast(): Promise<string> {
    const program = this.#running.pop();
    program?.interrupt();
    const { output = '' } = (await program?.exit) ?? {};
    if (output.includes('ExperimentalWarning')) throw new Error(`A program warns of Node:\n${output}`);
    return output;
  }

  /** Ctrl-C in each terminal, the last one first. */
  async interrupt(): Promise<void> {
    while (this.#running.length > 0) await this.interruptLast();
  }

  /** A program of npm that looks into the local registry first; a shell keeps no variable with a colon in its name. */
  #putTool(folder: string, name: string): void {
    mkdirSync(folder, { recursive: true });
    const program = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    const scope = `npm_config_@molecule-ai:registry=${this.#registry}`;
    writeFileSync(join(folder, name), `#!/bin/sh\nexec env '${scope}' '${program}' "$@"\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

function patternOf(prints: string, flags: string): RegExp {
  const escaped = prints.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const text = escaped
    .replaceAll(/<[a-z ]+>/g, '\\S+')
    .replaceAll('…', '.*')
    .replaceAll(/(localhost|127\\\.0\\\.0\\\.1):\d+/g, '$1:\\d+');
  return new RegExp(`^${text}$`, flags);
}
