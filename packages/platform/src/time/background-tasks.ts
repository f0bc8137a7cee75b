import type { PlatformLogger } from '../logging/logger.ts';
import type { Clock } from './clock.ts';

interface RepeatedTask {
  readonly name: string;
  readonly work: () => Promise<void>;
  isRunning: boolean;
}

/**
 * The background work of a platform: tasks at intervals, each at most once at a time, and single ones. Those of one interval share a timer.
 * A failure is logged, and the next run follows.
 */
export class BackgroundTasks {
  readonly #clock: Clock;
  readonly #logger: PlatformLogger;
  readonly #atStart: (() => void)[] = [];
  /** By their interval, in milliseconds. */
  readonly #repeated = new Map<number, RepeatedTask[]>();
  readonly #cancels = new Map<number, () => void>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(clock: Clock, logger: PlatformLogger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** True after `stop`; long tasks check it between their steps. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Runs `work` at each interval after the start. Call it before that. */
  every(name: string, intervalMs: number, work: () => Promise<void>): void {
    const others = this.#repeated.get(intervalMs) ?? [];
    this.#repeated.set(intervalMs, [...others, { name, work, isRunning: false }]);
  }

  /** Runs `work` once when the platform has started. Call it before that. */
  atStart(name: string, work: () => Promise<void>): void {
    this.#atStart.push(() => this.once(name, work));
  }

  /** Runs `work` now. */
  once(name: string, work: () => Promise<void>): void {
    if (!this.#stopped) void this.#run(name, work);
  }

  start(): void {
    for (const begin of this.#atStart) begin();
    for (const [intervalMs, tasks] of this.#repeated) this.#repeat(intervalMs, tasks);
  }

  /** Starts no more runs and waits for the running ones. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#running);
  }

  #repeat(intervalMs: number, tasks: readonly RepeatedTask[]): void {
    const runAll = () => {
      for (const task of tasks) {
        if (task.isRunning) continue;
        task.isRunning = true;
        void this.#run(task.name, task.work).then(() => {
          task.isRunning = false;
        });
      }
      this.#repeat(intervalMs, tasks);
    };
    this.#cancels.set(intervalMs, this.#clock.schedule(intervalMs, runAll));
  }

  #run(name: string, work: () => Promise<void>): Promise<void> {
    // After the timer, so that work which reads a clock reads the time at which the timers of that moment have run.
    const running = Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        this.#logger.error({ task: name, reason: String(error) }, `Background task failed: ${name}`);
      })
      .then(() => void this.#running.delete(running));
    this.#running.add(running);
    return running;
  }
}
