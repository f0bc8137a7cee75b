import type { WorkspaceInfo } from '@molecule-ai/core';
import { expect } from 'vitest';
import { heartbeat, inbox, type Member, onboard, statusOf } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const SECOND = 1_000;

onEachDatabase('heartbeats', (environment) => {
  verifies('registry.heartbeat.degrades-and-recovers', 'heartbeat: degrades and recovers', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const seen: string[] = [];
    for (const error_rate of [0.5, 0.49, 0.1, 0.09]) {
      await heartbeat(member, { error_rate });
      seen.push(await statusOf(platform, member.id));
    }
    expect(seen).toEqual(['degraded', 'degraded', 'degraded', 'online']);
  });

  verifies('registry.heartbeat.lag-is-shown', 'heartbeat: lag is shown', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    const operator = environment.operator(platform);
    const own = environment.client(platform, member);
    const seen = async () => {
      const listed = (await operator.listWorkspaces()).find(({ id }) => id === member.id);
      const read = await operator.getWorkspace(member.id);
      for (const info of [read, await own.getWorkspace()])
        expect(info).toMatchObject({ ...pick(listed), raw: { event_loop_lag_ms: listed?.eventLoopLagMs } });
      return pick(listed);
    };
    const pick = (info: WorkspaceInfo | undefined) => ({
      eventLoopLagMs: info?.eventLoopLagMs,
      isWedged: info?.isWedged,
      lastSampleError: info?.lastSampleError,
    });
    expect(await seen()).toEqual({ eventLoopLagMs: null, isWedged: false, lastSampleError: '' });
    await heartbeat(member, {
      runtime_state: 'wedged',
      sample_error: 'blocked',
      runtime_metadata: { event_loop_lag_ms: 312, capabilities: { status_mgmt: true } },
    });
    expect(await seen()).toEqual({ eventLoopLagMs: 312, isWedged: true, lastSampleError: 'blocked' });
    const { body } = await peer.caller.get(`/workspaces/${member.id}`);
    expect(body).toMatchObject({ wedged: true, event_loop_lag_ms: 312, last_sample_error: '' });
    await heartbeat(member, { runtime_state: '', sample_error: '' });
    expect(await seen()).toEqual({ eventLoopLagMs: null, isWedged: false, lastSampleError: '' });
    // The capabilities are kept: an error rate does not degrade an agent that manages its status.
    await heartbeat(member, { error_rate: 0.9 });
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('registry.heartbeat.degrades-and-recovers', 'heartbeat: wedged degrades', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await heartbeat(member, { runtime_state: 'wedged', sample_error: 'stuck' });
    expect(await statusOf(platform, member.id)).toBe('degraded');
    await heartbeat(member, { runtime_state: '' });
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies(
    ['registry.liveness.silent-is-offline', 'registry.heartbeat.only-proof-of-life'],
    'heartbeat: three missed is offline; heartbeat: brings back online',
    async () => {
      const platform = await environment.platform({ clock: 'manual' });
      const member = await onboard(platform);
      await platform.clock.advance(60 * SECOND);
      await heartbeat(member);
      await platform.clock.advance(89 * SECOND);
      expect(await statusOf(platform, member.id)).toBe('online');
      await platform.clock.advance(16 * SECOND);
      expect(await statusOf(platform, member.id)).toBe('offline');
      expect(await heartbeat(member)).toMatchObject({ status: 200, body: { workspace_status: 'online' } });
      expect(await statusOf(platform, member.id)).toBe('online');
    },
  );

  verifies('registry.heartbeat.omitted-metrics-stay', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const metrics = { active_tasks: 2, uptime_seconds: 77, current_task: 'reading', error_rate: 0.2 };
    await heartbeat(member, { ...metrics, sample_error: 'once', monthly_spend: 12 });
    await heartbeat(member);
    const [row] = (await platform.operator.get('/workspaces')).body as Record<string, unknown>[];
    expect(row).toMatchObject({
      active_tasks: 2,
      uptime_seconds: 77,
      current_task: 'reading',
      last_error_rate: 0.2,
      last_sample_error: 'once',
      monthly_spend: 12,
    });
    await heartbeat(member, { active_tasks: 0, current_task: '' });
    expect((await platform.operator.get('/workspaces')).body).toMatchObject([
      { active_tasks: 0, current_task: '', uptime_seconds: 77 },
    ]);
  });

  verifies('registry.heartbeat.only-proof-of-life', 'heartbeat: only proof of life', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    for (let reads = 0; reads < 11; reads += 1) {
      await platform.clock.advance(10 * SECOND);
      await inbox(member);
      expect((await member.caller.get(`/workspaces/${member.id}/state`)).status).toBe(200);
    }
    expect(await statusOf(platform, member.id)).toBe('offline');
    await member.caller.post('/registry/register', { id: member.id, agent_card: { name: 'a' } });
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('registry.heartbeat.tells-the-state', 'heartbeat: tells the state', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    expect(await heartbeat(member)).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        workspace_status: 'online',
        paused: false,
        deleted: false,
        pending: 0,
        server_time: new Date(platform.clock.now()).toISOString(),
      },
    });
  });

  verifies('registry.heartbeat.only-proof-of-life', 'heartbeat: status key is ignored', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    expect((await heartbeat(member, { status: 'offline' })).status).toBe(200);
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('requests.invalid-are-400', 'heartbeat: bad metrics are refused', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const metrics of [
      { error_rate: 1.5 },
      { error_rate: 'high' },
      { active_tasks: -1 },
      { active_tasks: 'many' },
      { current_task: 7 },
    ]) {
      const answer = await heartbeat(member, metrics);
      expect(answer, JSON.stringify(metrics)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      });
    }
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      status: 'online',
      active_tasks: 0,
      last_error_rate: 0,
    });
  });
});

onEachDatabase('liveness', (environment) => {
  verifies('registry.liveness.silent-is-offline', 'liveness: window is configurable', async () => {
    const platform = await environment.platform({
      clock: 'manual',
      limits: { livenessStaleAfterMs: 300_000 },
    });
    const member = await onboard(platform);
    await platform.clock.advance(299 * SECOND);
    expect(await statusOf(platform, member.id)).toBe('online');
    await platform.clock.advance(17 * SECOND);
    expect(await statusOf(platform, member.id)).toBe('offline');
  });

  verifies('registry.liveness.silent-is-offline', 'liveness: beside one that is alive', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [alive, dying] = [await onboard(platform), await onboard(platform)];
    const beat = async (seconds: number, ...members: Member[]) => {
      for (let left = seconds; left > 0; left -= 30) {
        await platform.clock.advance(30 * SECOND);
        for (const member of members) await heartbeat(member);
      }
    };
    await beat(300, alive, dying);
    await beat(120, alive);
    expect([await statusOf(platform, alive.id), await statusOf(platform, dying.id)]).toEqual([
      'online',
      'offline',
    ]);
  });

  verifies('registry.heartbeat.only-proof-of-life', 'liveness: clock jump', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    for (const jump of [3_600 * SECOND, -7_200 * SECOND]) {
      platform.clock.jump(jump);
      await platform.clock.advance(16 * SECOND);
      await heartbeat(member);
      expect(await statusOf(platform, member.id)).toBe('online');
      for (let beats = 0; beats < 5; beats += 1) {
        await platform.clock.advance(30 * SECOND);
        await heartbeat(member);
        expect(await statusOf(platform, member.id)).toBe('online');
      }
      await platform.clock.advance(120 * SECOND);
      expect(await statusOf(platform, member.id), `silent after a jump of ${jump} ms`).toBe('offline');
      await heartbeat(member);
    }
  });
});

onEachDatabase('liveness over a restart', { onDisk: true }, (environment) => {
  verifies('registry.liveness.silent-is-offline', 'liveness: restart keeps nobody alive', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    await platform.restart();
    expect(await statusOf(platform, member.id)).toBe('online');
    await platform.clock.advance(106 * SECOND);
    expect(await statusOf(platform, member.id)).toBe('offline');
  });
});
