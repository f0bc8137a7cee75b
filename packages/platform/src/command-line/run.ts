import { CommanderError } from 'commander';
import { createJsonLogger } from '../logging/json-logger.ts';
import { PlatformOptionsError } from '../options/platform-options-error.ts';
import { createPlatform, type Platform } from '../platform.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { type PlatformCommand, parsePlatformCommand } from './platform-command.ts';

/** Writes to stdout and stderr. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** A running platform, or the exit code. */
export type RunOutcome = { readonly platform: Platform } | { readonly exitCode: number };

const FAILED = 1;
const WRONG_OPTIONS = 2;

/** Starts a platform from the command line and prints its URL. */
export async function runPlatform(argv: readonly string[], { out, err }: Output): Promise<RunOutcome> {
  let command: PlatformCommand;
  try {
    command = parsePlatformCommand(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: error.exitCode === 0 ? 0 : WRONG_OPTIONS };
  }
  const logger = createJsonLogger({ level: command.logLevel, write: err });
  try {
    const platform = await createPlatform({ ...command.options, logger });
    out(command.json ? readyLine(platform) : banner(platform));
    return { platform };
  } catch (error) {
    if (error instanceof PlatformOptionsError) {
      err(`${error.message}\n${error.hint}\n`);
      return { exitCode: WRONG_OPTIONS };
    }
    if (!(error instanceof PlatformStartError)) throw error;
    err(`${error.message}\n${error.hint}\n`);
    return { exitCode: FAILED };
  }
}

type Shown = Pick<Platform, 'url' | 'host' | 'mode' | 'operatorKey' | 'operatorKeyPath'>;

/** The first line of `--json`, for programs that start a platform. */
function readyLine({ url, operatorKey }: Shown): string {
  return `${JSON.stringify({ url, operatorKey })}\n`;
}

/** The first output without `--json`. The operator key is printed in dev mode only. */
function banner({ url, host, mode, operatorKey, operatorKeyPath }: Shown): string {
  const keyLines =
    mode === 'production'
      ? ['  Operator key   ADMIN_TOKEN']
      : [
          `  Operator key   ${operatorKey}`,
          ...(operatorKeyPath === null ? [] : [`  Stored in      ${operatorKeyPath}`]),
        ];
  const listenLines = ['0.0.0.0', '::'].includes(host) ? [`  Listens on     all interfaces (${host})`] : [];
  return [
    '',
    `  Molecule AI platform, ${mode} mode`,
    '',
    `  URL            ${url}`,
    ...listenLines,
    ...keyLines,
    '',
    '  Ctrl+C stops it.',
    '',
    '',
  ].join('\n');
}
