import type { PlatformContext } from '../context.ts';
import { telemetry } from '../telemetry/telemetry.ts';
import { isUndelivered } from './message.store.ts';

/** Measures the queue when metrics are collected: how many messages wait or are being pushed, and since when the oldest does. */
export class QueueDepth {
  readonly #options: Pick<PlatformContext, 'clock' | 'database'>;
  #stop: readonly (() => void)[] = [];

  constructor(options: Pick<PlatformContext, 'clock' | 'database'>) {
    this.#options = options;
  }

  start(): void {
    const depth = {
      name: 'molecule.platform.queue.depth',
      description: 'Messages that wait for their agent or are being pushed',
      unit: '{message}',
    };
    const age = {
      name: 'molecule.platform.queue.age',
      description: 'Since when the oldest of these messages has waited',
      unit: 's',
    };
    this.#stop = [
      telemetry.observe(depth, async (result) => result.observe((await this.#measure()).depth)),
      telemetry.observe(age, async (result) => result.observe((await this.#measure()).ageSeconds)),
    ];
  }

  stop(): void {
    for (const stop of this.#stop) stop();
  }

  async #measure(): Promise<{ readonly depth: number; readonly ageSeconds: number }> {
    const { clock, database } = this.#options;
    const row = await database.query
      .selectFrom('activity')
      .select((eb) => [eb.fn.countAll().as('depth'), eb.fn.min('created_at').as('oldest')])
      .where(isUndelivered)
      .executeTakeFirst();
    const oldest = row?.oldest ?? null;
    const ageMs = oldest === null ? 0 : Math.max(0, clock.now() - Date.parse(oldest));
    return { depth: Number(row?.depth ?? 0), ageSeconds: ageMs / 1_000 };
  }
}
