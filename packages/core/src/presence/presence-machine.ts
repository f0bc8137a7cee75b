import type { LogFields, Logger } from '../logging/logger.ts';

/** The agent's state as known to the platform. The last three are final. */
export type PresenceState = 'starting' | 'online' | 'degraded' | 'paused' | 'removed' | 'revoked' | 'stopped';

/** The result of a heartbeat round. */
export type PresenceEvent = 'alive' | 'paused' | 'unreachable' | 'deleted' | 'rejected' | 'stop';

/** Emitted when the state changes. */
export type PresenceChange =
  | Exclude<PresenceState, 'starting' | 'online'>
  | 'started'
  | 'recovered'
  | 'resumed';

/**
 * Why a loop ended: the workspace was paused or removed, its token revoked, another running agent of the workspace
 * took over, or the loop was stopped.
 */
export type LoopOutcome = 'paused' | 'removed' | 'revoked' | 'superseded' | 'stopped';

/**
 * The transitions of the presence state machine.
 *
 * | state ＼ event | alive | paused | unreachable | deleted | rejected | stop |
 * |---|---|---|---|---|---|---|
 * | starting | online *started* | paused *paused* | degraded *degraded* | removed | revoked | stopped |
 * | online | online | paused *paused* | degraded *degraded* | removed | revoked | stopped |
 * | degraded | online *recovered* | paused *paused* | degraded | removed | revoked | stopped |
 * | paused | online *resumed* | paused | paused | removed | revoked | stopped |
 * | removed, revoked, stopped | same | same | same | same | same | same |
 *
 * `alive`: the heartbeat succeeded and the workspace is not paused. `paused`: the platform reports a pause. `unreachable`:
 * no valid response, for example a 404 without an error code. `deleted`: confirmed removal. `rejected`: three consecutive
 * 401 without a removal. An outage during a pause does not end the pause.
 */
export function stepPresence(
  state: PresenceState,
  event: PresenceEvent,
): { readonly state: PresenceState; readonly change: PresenceChange | null } {
  if (isFinal(state)) return { state, change: null };
  if (event === 'alive') return { state: 'online', change: ALIVE_CHANGES[state] ?? null };
  const next = event === 'unreachable' && state === 'paused' ? state : NEXT_STATES[event];
  return { state: next, change: next === state ? null : next };
}

const NEXT_STATES = {
  paused: 'paused',
  unreachable: 'degraded',
  deleted: 'removed',
  rejected: 'revoked',
  stop: 'stopped',
} as const;
const ALIVE_CHANGES: Partial<Record<PresenceState, PresenceChange>> = {
  starting: 'started',
  degraded: 'recovered',
  paused: 'resumed',
};

export function isFinal(state: PresenceState): boolean {
  return state === 'removed' || state === 'revoked' || state === 'stopped';
}

/** The hint for a workspace that no longer accepts its agent. */
export const ONBOARD_AGAIN =
  'Create a workspace and a token on the canvas (Tokens tab), set workspaceId and authToken to them, delete the stored token and start again.';

type Level = 'info' | 'warn' | 'error' | 'debug';

const LINES: Readonly<Record<PresenceChange, readonly [Level, string]>> = {
  started: ['info', 'The workspace is online.'],
  degraded: ['warn', 'The platform is unreachable; heartbeats are retried.'],
  recovered: ['info', 'The platform is reachable again.'],
  paused: ['info', 'The workspace was paused.'],
  resumed: ['info', 'The workspace was resumed.'],
  removed: ['error', `The workspace was removed, which is final. ${ONBOARD_AGAIN}`],
  revoked: ['error', `The platform refused the token three times in a row: it was revoked. ${ONBOARD_AGAIN}`],
  stopped: ['debug', 'Heartbeats stopped.'],
};

/** Writes one log line per change. */
export function reportPresence(logger: Logger, change: PresenceChange, error: unknown): void {
  const [level, sentence] = LINES[change];
  const fields: LogFields = error === undefined || change === 'stopped' ? {} : { error };
  logger[level](fields, sentence);
}
