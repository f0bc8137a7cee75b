import type { LogFields, Logger } from '../logging/logger.ts';
import type { PresenceChange } from './presence-machine.ts';

/** What to do about a workspace that no longer accepts its agent (seed 002). */
export const ONBOARD_AGAIN =
  'Create a workspace and a token on the canvas (Tokens tab), set workspaceId and authToken to them, delete the stored token and start again.';

type Level = 'info' | 'warn' | 'error' | 'debug';

const LINES: Readonly<Record<PresenceChange, readonly [Level, string]>> = {
  started: ['info', 'The workspace is online.'],
  degraded: ['warn', 'The platform cannot be reached; heartbeats are repeated until it can.'],
  recovered: ['info', 'The platform can be reached again.'],
  paused: ['info', 'The workspace was paused.'],
  resumed: ['info', 'The workspace was resumed.'],
  removed: ['error', `The workspace was removed and does not come back. ${ONBOARD_AGAIN}`],
  revoked: ['error', `The platform refused the token three times in a row: it was revoked. ${ONBOARD_AGAIN}`],
  stopped: ['debug', 'Heartbeats stopped.'],
};

/** Writes the one line a change deserves. */
export function reportPresence(logger: Logger, change: PresenceChange, error: unknown): void {
  const [level, sentence] = LINES[change];
  const fields: LogFields = error === undefined || change === 'stopped' ? {} : { error };
  logger[level](fields, sentence);
}
