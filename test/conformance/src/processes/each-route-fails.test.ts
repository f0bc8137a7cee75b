import type { ChaosRule } from '@molecule-ai/core/testing';
import { expect, vi } from 'vitest';
import { type ChaosStage, endOf, FAULTS, stageChaos } from '../harness/chaos-stage.ts';
import { FAULT_SEED, faultRandom } from '../harness/fault-seed.ts';
import { verifies } from '../verifies.ts';

/** Hours of the manual clock. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

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

/** Makes the fault happen at one route after the other, to an agent that starts, works and stops meanwhile. */
async function failAt(
  stage: ChaosStage,
  name: string,
  fault: ChaosRule,
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
  verifies('delivery.each-route-may-fail', `${name}, at each route that an agent uses`, async () => {
    const stage = await stageChaos(FAULT_SEED, faultRandom(name));
    expect(await routesInUse(stage)).toEqual(ROUTES);
    await failAt(stage, name, fault, ROUTES);
  });
}

verifies(
  'delivery.each-route-may-fail',
  `status 410, at each route of the agent's own workspace`,
  async () => {
    const stage = await stageChaos(FAULT_SEED, faultRandom('410'));
    const own = ['GET /workspaces/:id/activity', 'POST /registry/heartbeat', 'POST /registry/register'];
    await failAt(stage, 'status 410', { fault: 'status', status: 410 }, own);
  },
);
