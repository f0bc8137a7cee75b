import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../logging/json-logger.ts';
import type { PlatformOptions } from '../options/platform-options.ts';

/** The parsed command line. */
export type PlatformCommand = StartCommand | CreateWorkspaceCommand | CopyCommand;

export interface StartCommand {
  readonly name: 'start';
  readonly options: Pick<
    PlatformOptions,
    'host' | 'port' | 'dataDir' | 'memory' | 'mode' | 'publicUrl' | 'synchronous'
  >;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

export interface CreateWorkspaceCommand {
  readonly name: 'workspace create';
  readonly workspaceName: string;
  readonly parent: string | undefined;
  readonly url: string | undefined;
  readonly logLevel: LogLevel;
}

export interface CopyCommand {
  readonly name: 'backup' | 'restore';
  readonly file: string;
  readonly dataDir: string | undefined;
  readonly force: boolean;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

type Given<Command extends { readonly logLevel: LogLevel }, Name extends keyof Command> = Partial<
  Pick<Command, Name>
> &
  Pick<Command, 'logLevel'>;
type CopyFlags = Given<CopyCommand, 'dataDir' | 'force' | 'json'>;
type StartFlags = Given<StartCommand, 'json'> &
  Omit<StartCommand['options'], 'mode'> & { readonly dev?: boolean };
type CreateFlags = Pick<CreateWorkspaceCommand, 'parent' | 'url' | 'logLevel'>;

const START_HELP = `
Settings from the environment:
  ADMIN_TOKEN             the operator key; required unless --dev
  SECRETS_ENCRYPTION_KEY  base64 of 32 bytes, or 32 characters; required unless --dev
  HOST, PORT, MOLECULE_DATA_DIR, MOLECULE_ENV=dev, EXTERNAL_PLATFORM_URL, MOLECULE_SYNCHRONOUS
                          as --host, --port, --data-dir, --dev, --public-url, --synchronous
  The README lists more.

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
The platform must be stopped. The file is checked first; then the database in the data folder is this one or the
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
    .action((flags: StartFlags) => {
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
    .action((workspaceName: string, { parent, url, logLevel }: CreateFlags) => {
      parsed = { name: 'workspace create', workspaceName, parent, url, logLevel };
    });
  copyOptions(program.command('backup').allowExcessArguments(false), 'of the platform')
    .description('Copies the database of a platform, which may be running, into a file.')
    .argument('<file>', 'the copy')
    .option('--force', 'replace the file if it exists')
    .addHelpText('after', BACKUP_HELP)
    .action((file: string, flags: CopyFlags) => {
      parsed = copyCommand('backup', file, flags);
    });
  copyOptions(
    program.command('restore').allowExcessArguments(false),
    'to restore to; it is created when it is missing',
  )
    .description('Puts a backup into the data folder of a platform that is stopped.')
    .argument('<file>', 'what molecule-platform backup wrote')
    .option('--force', 'replace the database there, which is kept under another name')
    .addHelpText('after', RESTORE_HELP)
    .action((file: string, flags: CopyFlags) => {
      parsed = copyCommand('restore', file, flags);
    });
  program.parse([...argv], { from: 'user' });
  if (parsed === undefined) throw new Error('No command was parsed.');
  return parsed;
}

function startOptions(program: Command): Command {
  return program
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <number>', 'port to listen on, 0 picks a free one (default: 8080)', toPort)
    .option('--data-dir <folder>', 'folder of the database and the operator key')
    .option('--memory', 'keep everything in memory')
    .option('--dev', 'dev mode: this machine only, no credentials needed')
    .option('--public-url <url>', 'the URL under which agents reach the platform')
    .addOption(
      new Option('--synchronous <mode>', 'wait for the disk at each commit (default: full)').choices([
        'full',
        'normal',
      ]),
    )
    .option('--json', 'write {"url","operatorKey"} as the first line instead of the banner')
    .addOption(logLevelOption());
}

function copyOptions(command: Command, folder: string): Command {
  return command
    .option('--data-dir <folder>', `data folder ${folder} (MOLECULE_DATA_DIR)`)
    .option('--json', 'write the result as one line of JSON')
    .addOption(logLevelOption());
}

function copyCommand(
  name: CopyCommand['name'],
  file: string,
  { dataDir, force, json, logLevel }: CopyFlags,
): CopyCommand {
  return { name, file, dataDir, force: force === true, json: json === true, logLevel };
}

/** Each command has it: with `debug` an unexpected error has its stack. */
function logLevelOption(): Option {
  return new Option('--log-level <level>', 'lowest level of the log on stderr')
    .choices(LOG_LEVELS)
    .default('info');
}

function startCommand(flags: StartFlags): StartCommand {
  const { host, port, dataDir, memory, dev, publicUrl, synchronous, json, logLevel } = flags;
  const mode = dev === true ? 'dev' : undefined;
  const options = { host, port, dataDir, memory, mode, publicUrl, synchronous } as const;
  return { name: 'start', options, json: json === true, logLevel };
}

function toPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && text.trim() !== '') return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(manifest.version);
}
