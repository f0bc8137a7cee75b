import { socketConnections } from '../http/listening.ts';
import { createJsonLogger } from '../logging/json-logger.ts';
import type { Environment } from '../options/option-reader.ts';
import { resolveSettings } from '../options/resolve-settings.ts';
import { type Platform, startPlatform } from '../platform.ts';
import type { Output } from './output.ts';
import type { StartCommand } from './platform-command.ts';

/** Starts a platform and prints its URL. */
export async function startFromCommand(
  command: StartCommand,
  environment: Environment,
  { out, err }: Output,
): Promise<Platform> {
  const logger = createJsonLogger({ level: command.logLevel, write: err });
  const settings = resolveSettings({ ...command.options, logger }, environment);
  const platform = await startPlatform(settings, socketConnections);
  const { url, operatorKey } = platform;
  // The first line is for programs that start a platform.
  out(command.json ? `${JSON.stringify({ url, operatorKey })}\n` : banner(platform));
  return platform;
}

/** The first output without `--json`. The operator key is printed in dev mode only. */
function banner({ url, host, mode, operatorKey, operatorKeyPath }: Platform): string {
  const isListeningEverywhere = ['0.0.0.0', '::'].includes(host);
  const lines = [
    `URL            ${url}`,
    ...(isListeningEverywhere ? [`Listens on     all interfaces (${host})`] : []),
    `Operator key   ${mode === 'production' ? 'in ADMIN_TOKEN' : operatorKey}`,
    ...(operatorKeyPath === null ? [] : [`Stored in      ${operatorKeyPath}`]),
  ];
  return `\n  Molecule AI platform, ${mode} mode\n\n  ${lines.join('\n  ')}\n\n  Ctrl+C stops it.\n\n`;
}
