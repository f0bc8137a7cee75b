import { randomUUID } from 'node:crypto';
import { createRemoteAgent, MemoryInboundStore } from '@molecule-ai/core';
import { recordingLogger } from '@molecule-ai/core/testing';
import { ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { onboard, statusOf } from './harness/members.ts';
import type { StartedLoop } from './harness/started-loop.ts';
import { startLoop } from './harness/started-loop.ts';
import type { TestEnvironment } from './harness/test-environment.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MINUTE = 60_000;

/** A workspace whose heartbeat loop runs on the platform's own manual clock. */
async function startPresence(
  environment: TestEnvironment,
  task?: () => { currentTask: string; activeTasks: number },
) {
  const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
  const member = await onboard(platform);
  const logger = recordingLogger();
  const client = environment.client(platform, member, { connection: { clock: platform.clock }, logger });
  const loop: StartedLoop = startLoop((signal) =>
    client.runHeartbeatLoop({ signal, ...(task === undefined ? {} : { taskSupplier: task }) }),
  );
  environment.onCleanup(() => loop.stop());
  return { platform, member, loop, logger, clock: platform.clock };
}

onEachDatabase('the heartbeat loop', (environment) => {
  verifies('presence.cadence', 'stays online', async () => {
    const { platform, member, clock } = await startPresence(environment);
    for (let passed = 0; passed < 10 * MINUTE; passed += 15_000) {
      await clock.advance(15_000);
      expect(await statusOf(platform, member.id), `after ${passed} ms`).toBe('online');
    }
  });

  verifies('presence.ends', 'ends paused', async () => {
    const { platform, member, clock, loop } = await startPresence(environment);
    await platform.operator.post(`/workspaces/${member.id}/pause`);
    await clock.advanceUntil(() => loop.ended, { limitMs: MINUTE });
    expect(await loop.outcome).toBe('paused');
  });

  verifies('presence.ends', 'ends removed', async () => {
    const { platform, member, clock, loop, logger } = await startPresence(environment);
    await platform.operator.delete(`/workspaces/${member.id}`);
    await clock.advanceUntil(() => loop.ended, { limitMs: 2 * MINUTE });
    expect(await loop.outcome).toBe('removed');
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  verifies('delivery.ends-with-its-workspace', 'removed at once', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    const client = environment.client(platform, member, { connection: { clock: platform.clock } });
    const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage: () => {} });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    await platform.clock.advance(2_000);
    await environment.untilStable(() => platform.queries.length);
    const removedAt = platform.clock.monotonic();
    await platform.operator.delete(`/workspaces/${member.id}`);
    expect(await agent.closed).toBe('removed');
    expect(platform.clock.monotonic() - removedAt).toBeLessThan(1_000);
  });

  verifies('presence.ends', 'ends revoked', async () => {
    const { platform, member, clock, loop, logger } = await startPresence(environment);
    await clock.advance(1_000);
    await platform.operator.delete(`/workspaces/${member.id}/tokens`);
    await clock.advanceUntil(() => loop.ended, { limitMs: 5 * MINUTE });
    expect(await loop.outcome).toBe('revoked');
    const errors = logger.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/token/i);
    expect(JSON.stringify(logger.lines)).not.toContain(member.token);
  });

  verifies('presence.ends', 'ends stopped', async () => {
    const { loop, clock } = await startPresence(environment);
    await clock.advance(1_000);
    await loop.stop();
    expect(await loop.outcome).toBe('stopped');
  });

  verifies('registry.heartbeat.lag-is-shown', 'reports the task', async () => {
    const task = { currentTask: 'idle', activeTasks: 0 };
    const { platform, member, clock } = await startPresence(environment, () => task);
    const shown = async () => {
      const rows = (await platform.operator.get('/workspaces')).body as Record<string, unknown>[];
      return rows.find((row) => row.id === member.id)?.current_task;
    };
    await clock.advanceUntil(async () => (await shown()) === 'idle', { limitMs: MINUTE });
    Object.assign(task, { currentTask: 'reading mail', activeTasks: 1 });
    await clock.advanceUntil(async () => (await shown()) === 'reading mail', { limitMs: MINUTE });
  });
});

onEachDatabase('the heartbeat loop and outages', { onDisk: true }, (environment) => {
  verifies('agent.recovers-from-outages', 'survives an outage', async () => {
    const { platform, member, clock, loop } = await startPresence(environment);
    await clock.advance(1_000);
    await platform.restart(() => clock.advance(10 * MINUTE));
    expect(loop.ended).toBe(false);
    await clock.advanceUntil(async () => (await statusOf(platform, member.id)) === 'online', {
      limitMs: MINUTE,
    });
  });

  verifies('presence.cadence', 'cadence', async () => {
    const clock = new ManualClock();
    const beats: number[] = [];
    const scripted = await environment.scriptedAgent({
      script: () => {
        beats.push(clock.monotonic());
        const now = new Date(clock.now()).toISOString();
        const body = { status: 'ok', workspace_status: 'online', paused: false, deleted: false, pending: 0 };
        return { kind: 'json', body: { ...body, server_time: now } };
      },
    });
    const client = environment.client(
      scripted,
      { id: randomUUID(), token: 'a-token' },
      { connection: { clock } },
    );
    const loop = startLoop((signal) => client.runHeartbeatLoop({ signal }));
    await clock.advanceUntil(() => beats.length === 20, { stepMs: 100, limitMs: 15 * MINUTE });
    await loop.stop();
    const [first = 0, ...gaps] = beats.slice(1).map((at, index) => at - (beats[index] ?? 0));
    expect(first).toBeLessThanOrEqual(30_100);
    // Rounded to the steps of this test's clock.
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(26_900);
    for (const gap of gaps) expect(gap).toBeLessThanOrEqual(30_100);
  });

  verifies('agent.recovers-from-outages', 'routing trouble is no end', async () => {
    const clock = new ManualClock();
    const gateway = await environment.scriptedAgent({
      script: (_request, count) =>
        count % 2 === 0
          ? { kind: 'text', status: 404, text: '', type: 'text/plain' }
          : { kind: 'text', status: 200, text: '<html>Welcome</html>', type: 'text/html' },
    });
    const client = environment.client(
      gateway,
      { id: randomUUID(), token: 'a-token' },
      { connection: { clock } },
    );
    const loop = startLoop((signal) => client.runHeartbeatLoop({ signal }));
    await clock.advanceUntil(() => gateway.requests.length >= 12, { limitMs: 20 * MINUTE });
    expect(loop.ended).toBe(false);
    await loop.stop();
  });
});
