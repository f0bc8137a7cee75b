import { OperatorClient } from '@molecule-ai/core/operator';
import { type ChaosRule, chaos, scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { expect, vi } from 'vitest';
import { ACTS, type Delivery, endOf, FAULTS, type Sent, stageChaos } from './harness/chaos-stage.ts';
import { FAULT_SEED, faultRandom } from './harness/fault-seed.ts';
import { verifies } from './verifies.ts';

/** Hours of the manual clock. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

for (const delivery of ['long-poll', 'poll', 'push'] as const satisfies readonly Delivery[]) {
  verifies(
    ['delivery.survives-chaos', 'agent.recovers-from-outages'],
    `everything at once, by ${delivery}, seed ${FAULT_SEED}`,
    async () => {
      const stage = await stageChaos(FAULT_SEED, faultRandom(delivery), delivery);
      const worker = await stage.start();
      await stage.platform.clock.advance(1_000);
      // Each is rarer than five failures of one answer in a row.
      const storm = Object.values(FAULTS).map((fault) => ({ ...fault, probability: 0.025 }));
      const sent: Sent[] = [];
      for (let round = 0; round < 8; round += 1) {
        stage.faulty.rules = storm;
        sent.push(...stage.send(`s${round}`));
        await stage.platform.clock.advance(60_000);
      }
      expect(stage.faulty.hits()).toBeGreaterThan(10);
      stage.faulty.rules = [];
      await endOf(stage, worker, sent, delivery);
    },
  );
}

/** Of an hour. */
const OUTAGES = {
  'nobody listens': { fault: 'drop', lost: 'connection' },
  'nothing comes back': { fault: 'delay', ms: Number.POSITIVE_INFINITY },
  'a gateway has lost the platform': { fault: 'status', status: 502 },
  'a gateway wants people to sign in': { fault: 'html' },
} as const satisfies Record<string, ChaosRule>;

verifies('agent.recovers-from-outages', 'after an hour without a platform', async () => {
  for (const [name, fault] of Object.entries(OUTAGES)) {
    const stage = await stageChaos(FAULT_SEED, faultRandom(name));
    const { clock } = stage.platform;
    const worker = await stage.start();
    await endOf(stage, worker, stage.send('before'), name);
    stage.faulty.rules = [fault];
    // What the handler itself asks others fails meanwhile, as often as it may.
    const alone = ACTS.filter((act) => act !== 'delegate' && act !== 'patience');
    const sent = stage.send('during', alone);
    await clock.advance(3_600_000);
    expect(worker.agent.health(), name).toMatchObject({ ok: false, presence: 'degraded' });
    expect(worker.agent.health().degradedReasons, name).toContain('platform-unreachable');
    expect(await stage.platform.statusOf(stage.workspace.workspaceId), name).toBe('offline');
    stage.faulty.rules = [];
    const outageEndedAt = clock.monotonic();
    await clock.advanceUntil(() => worker.agent.health().ok);
    expect(clock.monotonic() - outageEndedAt, name).toBeLessThanOrEqual(90_000);
    await endOf(stage, worker, sent, name);
    expect(worker.starts, name).toBe(1);
    await worker.stop();
  }
});

verifies('testing.chaos', 'chaos: repeats', async () => {
  const random = () => 0.5;
  const run = async (seed: number) => {
    const platform = await createTestPlatform();
    const operator = new OperatorClient(platform);
    const dispatcher = chaos(platform.connection.dispatcher, { seed, clock: platform.clock });
    const peer = await scriptedPeer(platform, {
      client: { connection: { dispatcher, random } },
    });
    dispatcher.rules = [
      { fault: 'drop', probability: 0.1 },
      { fault: 'delay', ms: [100, 5_000], probability: 0.1 },
      { fault: 'status', status: 503, probability: 0.1 },
    ];
    for (let at = 0; at < 20; at += 1) {
      const sending = operator.sendMessage(peer.id, `message ${at}`);
      await platform.clock.advance(60_000);
      await sending;
    }
    dispatcher.rules = [];
    await peer.stop();
    await operator.close();
    await platform.close();
    return dispatcher.log.map(({ at, fault, method }) => `${at} ${fault} ${method}`);
  };
  const first = await run(1);
  expect(first.length).toBeGreaterThan(10);
  expect(await run(1)).toEqual(first);
  expect(await run(2)).not.toEqual(first);
});
