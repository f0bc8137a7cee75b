import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { knownOptions, unknownOptions } from '../settings/known-options.ts';

export interface AgentStartOptions {
  /**
   * `false`: `start()` resolves at once, and the agent registers in the background. `health()` and the events `started`
   * and `degraded` report how far it is. An error that ends the start is logged and emitted as `start-failed`, and
   * `closed` rejects with it. @default true
   */
  wait?: boolean | undefined;
  /** Aborts the start, which then rejects with the signal's reason; with `wait: false` the agent ends as `stopped`. */
  signal?: AbortSignal | undefined;
}

export const START_OPTIONS = knownOptions<AgentStartOptions>({ wait: true, signal: true });

export interface AgentStopOptions {
  /** How long to wait for running handlers, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs?: number | undefined;
}

const STOP_OPTIONS = knownOptions<AgentStopOptions>({ timeoutMs: true });

/** Logs an option that `stop` does not have: to stop never fails. */
export function checkStop(options: AgentStopOptions, logger: Logger): void {
  const unknown = unknownOptions('stop', options, STOP_OPTIONS);
  if (unknown !== null) logger.warn({ hint: unknown.hint }, unknown.problem);
}

/** The error of a start for the log: the frames of one of this package are of no use, because its hint has what to do. */
export function withoutFrames(error: unknown): unknown {
  return MoleculeError.isInstance(error) ? error.toJSON() : error;
}
