import type { HeartbeatMetrics } from '../src/client/heartbeat.ts';
import { HeartbeatLoop } from '../src/presence/heartbeat-loop.ts';
import type { PresenceChange, PresenceState } from '../src/presence/presence-machine.ts';
import { recordingLogger } from '../src/testing/recording-logger.ts';
import { ManualClock } from './manual-clock.ts';
import { PresenceDouble } from './presence-double.ts';

export const IDLE: HeartbeatMetrics = {
  currentTask: '',
  activeTasks: 0,
  errorRate: 0,
  sampleError: '',
  uptimeSeconds: 0,
};

interface HeartbeatStageOptions {
  clock?: ManualClock;
  random?: () => number;
  intervalMs?: number;
}

/** A heartbeat loop with a manual clock and doubles. */
export class HeartbeatStage {
  readonly clock: ManualClock;
  readonly port: PresenceDouble;
  readonly logger = recordingLogger();
  readonly abort = new AbortController();
  readonly changes: PresenceChange[] = [];
  metrics: HeartbeatMetrics = IDLE;
  readonly loop: HeartbeatLoop;
  #running: Promise<PresenceState> | undefined;

  constructor(options: HeartbeatStageOptions = {}) {
    const { clock = new ManualClock(), random = () => 1, intervalMs = 30_000 } = options;
    this.clock = clock;
    this.port = new PresenceDouble(clock);
    this.loop = new HeartbeatLoop({
      client: this.port,
      clock,
      logger: this.logger,
      random,
      intervalMs,
      metrics: () => this.metrics,
      onChange: (change) => this.changes.push(change),
    });
  }

  /** Starts the loop and runs its first round. */
  async start(): Promise<this> {
    this.#running = this.loop.run(this.abort.signal);
    await this.clock.advance(0);
    return this;
  }

  /** The result of the loop. */
  get end(): Promise<PresenceState> {
    if (this.#running === undefined) throw new Error('The loop was not started.');
    return this.#running;
  }

  async stop(): Promise<PresenceState> {
    this.abort.abort();
    return this.end;
  }
}
