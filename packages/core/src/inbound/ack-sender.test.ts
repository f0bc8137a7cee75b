import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { limited } from '../../test/presence-double.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { type AcknowledgedLedger, AckSender } from './ack-sender.ts';

const ledgerAt = (position: () => string): AcknowledgedLedger => ({
  get acknowledged() {
    return position();
  },
  isUnacknowledged: () => false,
  finish: async () => true,
  save: async () => true,
  outcomes: new Map(),
  outcomesReported: () => {},
});

it('takes at most five requests a second, and waits as long as the platform asks', async () => {
  const clock = new ManualClock();
  const times: number[] = [];
  let position = 0;
  const client = {
    capabilities: new Set<never>(),
    acknowledge: async () => {
      times.push(clock.monotonic());
      if (times.length === 11) throw limited(20_000);
      return { isSupported: true, acknowledged: 1, outcomes: [] };
    },
  };
  const sender = new AckSender(
    { client, clock, logger: recordingLogger(), random: () => 0.5 },
    ledgerAt(() => `row-${position}`),
  );
  const life = new AbortController();
  for (let step = 0; step < 230; step += 1) {
    position += 1;
    sender.send(life.signal);
    await clock.advance(10);
  }
  expect(times.filter((at) => at < 1_000)).toHaveLength(5);
  expect(times.filter((at) => at >= 1_000 && at < 2_000)).toHaveLength(5);
  await clock.advance(30_000);
  const [refused = 0, repeated] = times.slice(10);
  expect(repeated).toBe(refused + 20_000);
  expect([times.length, sender.isUpToDate]).toEqual([12, true]);
  life.abort();
});
