import { silentLogger } from '../logging/silent-logger.ts';
import { systemClock } from '../time/clock.ts';
import { checkHeaderValue, checkNumber, checkPlatformUrl } from './checked-values.ts';
import type { ConnectionOptions, ConnectionSettings } from './connection-options.ts';
import { type Environment, readOption } from './environment.ts';

export const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
export const DEFAULT_MESSAGE_TIMEOUT_MS = 15_000;
export const DEFAULT_MAX_RETRIES = 3;
export const DEFAULT_MAX_RETRY_AFTER_MS = 30_000;
export const DEFAULT_MAX_CONNECTIONS = 64;
export const DEFAULT_MAX_ANSWER_BYTES = 16 * 1024 * 1024;
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Checks {@link ConnectionOptions} and fills in what is missing.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveConnection(options: ConnectionOptions, env: Environment): ConnectionSettings {
  const url = checkPlatformUrl(readOption('platformUrl', options.platformUrl, env));
  const basePath = url.pathname.replace(/\/+$/, '');
  const timeout = { min: 1, max: MAX_TIMEOUT_MS };
  return Object.freeze({
    platformUrl: url.origin + basePath,
    platformOrigin: url.origin,
    basePath,
    orgId: checkHeaderValue(readOption('orgId', options.orgId, env), 'orgId') ?? null,
    origin: resolveOrigin(options, env, url.origin),
    requestTimeoutMs: checkNumber(
      options.requestTimeoutMs,
      DEFAULT_REQUEST_TIMEOUT_MS,
      'requestTimeoutMs',
      timeout,
    ),
    messageTimeoutMs: checkNumber(
      options.messageTimeoutMs,
      DEFAULT_MESSAGE_TIMEOUT_MS,
      'messageTimeoutMs',
      timeout,
    ),
    maxRetries: checkNumber(options.maxRetries, DEFAULT_MAX_RETRIES, 'maxRetries', {
      min: 0,
      max: 20,
      isInteger: true,
    }),
    maxRetryAfterMs: checkNumber(options.maxRetryAfterMs, DEFAULT_MAX_RETRY_AFTER_MS, 'maxRetryAfterMs', {
      min: 0,
      max: MAX_TIMEOUT_MS,
    }),
    maxConnections: checkNumber(options.maxConnections, DEFAULT_MAX_CONNECTIONS, 'maxConnections', {
      min: 1,
      max: 65_535,
      isInteger: true,
    }),
    maxAnswerBytes: checkNumber(options.maxAnswerBytes, DEFAULT_MAX_ANSWER_BYTES, 'maxAnswerBytes', {
      min: 1024,
      max: 2 ** 30,
      isInteger: true,
    }),
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  });
}

function resolveOrigin(options: ConnectionOptions, env: Environment, platformOrigin: string): string | null {
  if (options.origin === null) return null;
  return checkHeaderValue(readOption('origin', options.origin, env), 'origin') ?? platformOrigin;
}
