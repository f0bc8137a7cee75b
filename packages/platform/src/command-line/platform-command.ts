import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../logging/json-logger.ts';
import { type Environment, type OptionFacts, optionsOf } from '../options/option-reader.ts';
import { IN_MEMORY, platformOptionsSchema } from '../options/options-schema.ts';
import type { PlatformOptions } from '../options/platform-options.ts';

/** The parsed command line. */
export type PlatformCommand = StartCommand | CreateWorkspaceCommand | CopyCommand;

interface ParsedCommand {
  /** The variables whose settings are on the command line, which has priority over the environment. */
  readonly variables: Environment;
  readonly logLevel: LogLevel;
}

export interface StartCommand extends ParsedCommand {
  readonly name: 'start';
  readonly options: Pick<PlatformOptions, 'mode' | 'data'>;
  readonly json: boolean;
}

export interface CreateWorkspaceCommand extends ParsedCommand {
  readonly name: 'workspace create';
  readonly workspaceName: string;
  readonly parent: string | undefined;
  readonly url: string | undefined;
}

export interface CopyCommand extends ParsedCommand {
  readonly name: 'backup' | 'restore';
  readonly file: string;
  readonly force: boolean;
  readonly json: boolean;
}

/** As commander parses them. */
interface Flags {
  readonly logLevel: LogLevel;
  readonly json?: true;
  readonly dev?: true;
  readonly memory?: true;
  readonly force?: true;
  readonly parent?: string;
  readonly url?: string;
}

/** Columns of a list of variables. */
const VARIABLE_COLUMNS = 34;
/** The settings that have a variable. */
const SETTINGS = [...optionsOf(platformOptionsSchema).values()].filter(({ env }) => env !== undefined);
/** Those with a value on the command line; `--dev` has none. */
const SETTING_FLAGS = SETTINGS.filter(({ flag }) => flag?.includes('<'));
const DATA_FLAGS = SETTING_FLAGS.filter(({ flag }) => flag?.startsWith('--data-dir'));

const START_HELP = `
Settings from the environment; the README has the defaults:
${SETTINGS.filter(({ flag }) => flag === undefined)
  .sort((one, other) => Number(isRequired(other)) - Number(isRequired(one)))
  .map((facts) => `  ${facts.env?.join(', ').padEnd(VARIABLE_COLUMNS)}  ${shortText(facts)}`)
  .join('\n')}
  MOLECULE_ENV=dev is the same as --dev, unless there is an ADMIN_TOKEN.

Exit codes: 0 stopped or done, 1 failed, 2 wrong options.`;

const CREATE_HELP = `
Writes three lines to stdout, for a file that only you can read:
  (umask 077; molecule-platform workspace create echo > agent.env)
  node --env-file=agent.env agent.mts

Settings from the environment:
  MOLECULE_OPERATOR_KEY   the operator key, else ADMIN_TOKEN; a platform in dev mode on this machine needs none
  MOLECULE_PLATFORM_URL   as --url
  MOLECULE_ORG_ID         the organisation of the platform, if it has one; a fourth line`;

const BACKUP_HELP = `
The platform may run; the copy has everything of one moment. It is one file for its owner only, and complete or not
there. It has the database: workspaces, tokens as hashes, messages, answers. It has no keys: keep ADMIN_TOKEN and
SECRETS_ENCRYPTION_KEY as well; in dev mode the file operator-key, or a new one is made.`;

const RESTORE_HELP = `
The platform must be stopped. A data folder that is missing is created. The file is checked first; then the database in the data folder is this one or the
former one, whenever the command is interrupted. Start the platform with the SECRETS_ENCRYPTION_KEY of the backup.
Messages and tokens since the backup are gone, and tokens that were revoked since are valid again.`;

/**
 * Parses the command line. Throws commander's `CommanderError` for an invalid one, and after writing `--help` or
 * `--version`.
 */
export function parsePlatformCommand(argv: readonly string[]): PlatformCommand {
  let parsed: PlatformCommand | undefined;
  const program = new Command('molecule-platform')
    .description('Runs the Molecule AI control plane on this machine.')
    .usage('[options] | <command>')
    .version(packageVersion())
    // The same option may belong to the platform and to a command.
    .enablePositionalOptions()
    .showHelpAfterError('(--help lists commands and options)')
    .exitOverride();
  startOptions(program)
    .addHelpText('after', START_HELP)
    .allowExcessArguments()
    .action((flags: Flags) => {
      const [operand] = program.args;
      if (operand !== undefined) program.error(`error: unknown command '${operand}'`);
      parsed = startCommand(flags);
    });
  const workspace = program.command('workspace').description('Workspaces of a running platform.');
  workspace
    .command('create')
    // `workspace create my agent` would create "my".
    .allowExcessArguments(false)
    .description('Creates a workspace and prints what its agent needs in its environment.')
    .argument('<name>', 'name of the workspace')
    .option('--parent <id>', 'workspace that it is a child of')
    .option('--url <url>', 'URL of the platform (default: http://localhost:8080)')
    .addOption(logLevelOption())
    .addHelpText('after', CREATE_HELP)
    .action((workspaceName: string, { parent, url, logLevel }: Flags) => {
      parsed = { name: 'workspace create', workspaceName, parent, url, logLevel, variables: {} };
    });
  copyOptions(program.command('backup').allowExcessArguments(false))
    .description('Copies the database of a platform, which may be running, into a file.')
    .argument('<file>', 'the copy')
    .option('--force', 'replace the file if it exists')
    .addHelpText('after', BACKUP_HELP)
    .action((file: string, flags: Flags) => {
      parsed = copyCommand('backup', file, flags);
    });
  copyOptions(program.command('restore').allowExcessArguments(false))
    .description('Puts a backup into the data folder of a platform that is stopped.')
    .argument('<file>', 'what molecule-platform backup wrote')
    .option('--force', 'replace the database there, which is kept under another name')
    .addHelpText('after', RESTORE_HELP)
    .action((file: string, flags: Flags) => {
      parsed = copyCommand('restore', file, flags);
    });
  program.parse([...argv], { from: 'user' });
  if (parsed === undefined) throw new Error('No command was parsed.');
  return parsed;
}

function startOptions(program: Command): Command {
  return addSettings(program, SETTING_FLAGS)
    .addOption(new Option('--memory', 'keep everything in memory').conflicts('dataDir'))
    .option('--dev', 'dev mode: this machine only, no credentials needed')
    .option('--json', 'write {"url","operatorKey"} as the first line instead of the banner')
    .addOption(logLevelOption());
}

function copyOptions(command: Command): Command {
  return addSettings(command, DATA_FLAGS)
    .option('--json', 'write the result as one line of JSON')
    .addOption(logLevelOption());
}

function addSettings(command: Command, settings: readonly OptionFacts[]): Command {
  for (const facts of settings) command.addOption(settingOption(facts));
  return command;
}

function settingOption(facts: OptionFacts): Option {
  const { env, flag = '', default: value } = facts;
  return new Option(flag, `${shortText(facts)} (${env?.[0]}; default: ${value})`).argParser((text) => {
    // Such as `--data-dir "$UNSET"`, which does not mean the default.
    if (text === '') throw new InvalidArgumentError(`It must not be empty; leave it out for ${value}.`);
    return text;
  });
}

function isRequired({ default: value }: OptionFacts): boolean {
  return String(value).startsWith('required');
}

/** The first sentence of a description, for a terminal. */
function shortText(facts: OptionFacts): string {
  const { description = '', default: value } = facts;
  const [sentence = ''] = description.replaceAll('`', '').split(/\.(?: |$)/);
  const note = isRequired(facts) ? ` (${value})` : '';
  return sentence.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase()) + note;
}

/** What was given on the command line, by variables. */
function variablesOf(flags: Flags): Environment {
  const values = SETTING_FLAGS.map((facts): [string, string | undefined] => {
    const name = settingOption(facts).attributeName();
    return [facts.env?.[0] ?? '', (flags as unknown as Record<string, string | undefined>)[name]];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function copyCommand(name: CopyCommand['name'], file: string, flags: Flags): CopyCommand {
  const { force = false, json = false, logLevel } = flags;
  return { name, file, variables: variablesOf(flags), force, json, logLevel };
}

function startCommand(flags: Flags): StartCommand {
  const { memory, dev, json = false, logLevel } = flags;
  const options: StartCommand['options'] = {
    ...(dev && { mode: 'dev' }),
    ...(memory && { data: { directory: IN_MEMORY } }),
  };
  return { name: 'start', options, variables: variablesOf(flags), json, logLevel };
}

/** Each command has it: with `debug` an unexpected error has its stack. */
function logLevelOption(): Option {
  return new Option('--log-level <level>', 'lowest level of the log on stderr')
    .choices(LOG_LEVELS)
    .default('info');
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(manifest.version);
}
