import { OperatorClient } from '@molecule-ai/core/operator';
import { chaos, type Fault, scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { expect, vi } from 'vitest';
import {
  ACTS,
  type ChaosStage,
  type Delivery,
  type Sent,
  stageChaos,
  type Worker,
} from './harness/chaos-stage.ts';
import { FAULT_SEED, faultRandom } from './harness/fault-seed.ts';
import { verifies } from './verifies.ts';

/** Hours of the manual clock. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const FAULTS = {
  'connections that are refused': { fault: 'drop', lost: 'connection' },
  'requests that are lost': { fault: 'drop', lost: 'request' },
  'responses that are lost': { fault: 'drop', lost: 'response' },
  'requests that arrive late': { fault: 'delay', ms: [100, 30_000] },
  'responses that arrive late': { fault: 'delay', of: 'response', ms: [100, 30_000] },
  'requests that arrive twice': { fault: 'duplicate' },
  'requests that arrive again later': { fault: 'duplicate', afterMs: 20_000 },
  'requests in another order': { fault: 'reorder', withinMs: 5_000 },
  'status 429': { fault: 'status', status: 429, retryAfterSeconds: 7 },
  'status 500': { fault: 'status', status: 500 },
  'status 503': { fault: 'status', status: 503, retryAfterSeconds: 5 },
  'status 504 of requests that were processed': { fault: 'status', status: 504, isProcessed: true },
  'login pages': { fault: 'html' },
  'login pages for requests that were processed': { fault: 'html', isProcessed: true },
  'responses that break off': { fault: 'truncate' },
  'responses that end too soon': { fault: 'truncate', ending: 'end' },
  'a platform whose clock is ahead': { fault: 'skew', ms: 3_600_000 },
  'a platform whose clock is behind': { fault: 'skew', ms: -3_600_000 },
} as const satisfies Record<string, Fault>;

const ROUTES = [
  'GET /registry/:id/peers',
  'GET /registry/discover/:id',
  'GET /workspaces/:id/activity',
  'GET /workspaces/:id/messages/:messageId',
  'POST /registry/goodbye',
  'POST /registry/heartbeat',
  'POST /registry/register',
  'POST /workspaces/:id/a2a',
  'POST /workspaces/:id/activity/:activityId/progress',
  'POST /workspaces/:id/activity/ack',
  'POST /workspaces/:id/notify',
];

/** The routes that the agent uses while nothing fails. */
async function routesInUse(stage: ChaosStage): Promise<string[]> {
  const worker = await stage.start();
  await endOf(stage, worker, stage.send('calm'));
  await worker.stop();
  return [...stage.routes].sort();
}

/** Moves on until all messages have ended and the agent is well again, and checks what was promised. */
async function endOf(stage: ChaosStage, worker: Worker, sent: readonly Sent[], what = ''): Promise<void> {
  const { platform, workspace, effects, helper, sender } = stage;
  const isOver = async () =>
    worker.agent.health().ok && worker.agent.health().unfinished === 0 && (await stage.haveEnded(sent));
  await platform.clock.advanceUntil(isOver, { stepMs: 5_000, limitMs: 3_600_000 }).catch(async () => {
    const states = await Promise.all(sent.map(async (each) => [each.messageId, await stage.stateOf(each)]));
    expect.fail(
      `${what}: ${JSON.stringify([worker.agent.health(), states, stage.faulty.log.slice(-20)], null, 1)}`,
    );
  });
  // Late ends reach those who no longer wait.
  await platform.clock.advance(30_000);
  expect(await platform.statusOf(workspace.workspaceId), what).toBe('online');
  expect(worker.agent.health(), what).toMatchObject({ state: 'running', deadLetters: 0, inFlight: 0 });
  for (const { messageId, act, from, reply } of sent) {
    const times = <T>(list: readonly T[], is: (item: T) => boolean) => list.filter(is).length;
    expect(
      times(effects, (id) => id === messageId),
      `${what}: effects of ${messageId}`,
    ).toBe(1);
    if (act === 'delegate' || act === 'patience') {
      const asked = times(helper.received, (message) => message.messageId === `for-${messageId}`);
      expect(asked, `${what}: the helper was asked for ${messageId}`).toBe(1);
    }
    if (from === 'peer' && act !== 'silent') {
      const atOnce = (await reply).status === 'queued' ? 0 : 1;
      const late = times(sender.received, ({ inReplyTo }) => inReplyTo === messageId);
      expect(atOnce + late, `${what}: ends of ${messageId} that its sender got`).toBe(1);
    }
  }
}

/** Makes the fault happen at one route after the other, to an agent that starts, works and stops meanwhile. */
async function failAt(
  stage: ChaosStage,
  name: string,
  fault: Fault,
  routes: readonly string[],
): Promise<void> {
  for (const [at, route] of routes.entries()) {
    const [method = '', path = ''] = route.split(' ');
    const rule = { ...fault, method, path };
    stage.faulty.rules = [
      { ...rule, times: 1 },
      { ...rule, times: 2, probability: 0.5 },
    ];
    const before = stage.faulty.hits();
    const worker = await stage.start();
    const sent = stage.send(`r${at}`);
    await stage.platform.clock.advance(120_000);
    await endOf(stage, worker, sent, `${name} at ${route}`);
    await worker.stop();
    expect(stage.faulty.hits() - before, `${name} at ${route}`).toBeGreaterThanOrEqual(1);
  }
}

for (const [name, fault] of Object.entries(FAULTS)) {
  verifies(
    ['testing.chaos.each-route', 'delivery.survives-chaos'],
    `${name}, at each route that an agent uses, seed ${FAULT_SEED}`,
    async () => {
      const stage = await stageChaos(FAULT_SEED, faultRandom(name));
      expect(await routesInUse(stage)).toEqual(ROUTES);
      await failAt(stage, name, fault, ROUTES);
    },
  );
}

verifies(
  ['testing.chaos.each-route', 'delivery.survives-chaos'],
  `status 410, at each route of the agent's own workspace, seed ${FAULT_SEED}`,
  async () => {
    const stage = await stageChaos(FAULT_SEED, faultRandom('410'));
    const own = ['GET /workspaces/:id/activity', 'POST /registry/heartbeat', 'POST /registry/register'];
    await failAt(stage, 'status 410', { fault: 'status', status: 410 }, own);
  },
);

for (const delivery of ['long-poll', 'poll', 'push'] as const satisfies readonly Delivery[]) {
  verifies(
    ['delivery.survives-chaos', 'agent.recovers-from-chaos'],
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
} as const satisfies Record<string, Fault>;

verifies('agent.recovers-from-chaos', 'after an hour without a platform', async () => {
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

verifies('testing.chaos.repeats', async () => {
  const random = () => 0.5;
  const run = async (seed: number) => {
    const platform = await createTestPlatform();
    const operator = new OperatorClient(platform);
    const dispatcher = chaos(platform.dispatcher, { seed, clock: platform.clock });
    const peer = await scriptedPeer(platform, { client: { dispatcher, random }, agent: { random } });
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
