import { createJsonLogger } from '../logging/json-logger.ts';
import { createPlatform, type Platform } from '../platform.ts';
import type { Output } from './output.ts';
import type { StartCommand } from './platform-command.ts';

/** Starts a platform and prints its URL. */
export async function startFromCommand(command: StartCommand, { out, err }: Output): Promise<Platform> {
  const logger = createJsonLogger({ level: command.logLevel, write: err });
  const platform = await createPlatform({ ...command.options, logger });
  out(command.json ? readyLine(platform) : banner(platform));
  return platform;
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
      ? ['  Operator key   in ADMIN_TOKEN']
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
