import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../logging/json-logger.ts';
import type { PlatformOptions } from '../options/platform-options.ts';

/** The parsed command line. */
export interface PlatformCommand {
  readonly options: Pick<
    PlatformOptions,
    'host' | 'port' | 'dataDir' | 'memory' | 'mode' | 'publicUrl' | 'synchronous'
  >;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

interface Flags {
  host?: string;
  port?: number;
  dataDir?: string;
  memory?: boolean;
  dev?: boolean;
  publicUrl?: string;
  synchronous?: 'full' | 'normal';
  json?: boolean;
  logLevel: LogLevel;
}

const ENVIRONMENT_HELP = `
Settings from the environment:
  ADMIN_TOKEN             the operator key; required unless --dev
  SECRETS_ENCRYPTION_KEY  base64 of 32 bytes, or 32 characters; required unless --dev
  HOST, PORT, MOLECULE_DATA_DIR, MOLECULE_ENV=dev, EXTERNAL_PLATFORM_URL, MOLECULE_SYNCHRONOUS
                          as --host, --port, --data-dir, --dev, --public-url, --synchronous
  The README lists more.

Exit codes: 0 stopped, 1 could not start, 2 wrong options.`;

/**
 * Parses the command line. Throws commander's `CommanderError` for an invalid one, and after writing `--help` or
 * `--version`.
 */
export function parsePlatformCommand(argv: readonly string[]): PlatformCommand {
  const command = new Command('molecule-platform')
    .description('Runs the Molecule AI control plane on this machine.')
    .version(packageVersion())
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
    .addOption(
      new Option('--log-level <level>', 'lowest level of the log on stderr')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addHelpText('after', ENVIRONMENT_HELP)
    .allowExcessArguments(false)
    .exitOverride();
  command.parse([...argv], { from: 'user' });
  const flags = command.opts<Flags>();
  return {
    options: {
      host: flags.host,
      port: flags.port,
      dataDir: flags.dataDir,
      memory: flags.memory,
      mode: flags.dev === true ? 'dev' : undefined,
      publicUrl: flags.publicUrl,
      synchronous: flags.synchronous,
    },
    json: flags.json === true,
    logLevel: flags.logLevel,
  };
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
