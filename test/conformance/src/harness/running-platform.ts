import type { Caller } from './http.ts';
import type { ManualClock } from './manual-clock.ts';

/** A real platform on a real socket, started for one test. */
export interface RunningPlatform {
  /** Scheme, host and port. */
  readonly url: string;
  readonly port: number;
  /** Where its data lies, or null in memory. */
  readonly dataDir: string | null;
  /** Sends the operator key with each request. */
  readonly operator: Caller;
  /** Sends no credential. */
  readonly anonymous: Caller;
  readonly operatorKey: string;
  /** Its time, when the test asked for a manual one; fails otherwise. */
  readonly clock: ManualClock;
  /** The SQL statements that ran so far. */
  readonly queries: readonly string[];
  /** A caller with this bearer token and no other header. */
  as(token: string): Caller;
  /** Ends it as a stop does, or without warning, and starts it again on the same port with the same data. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  stop(): Promise<void>;
}
