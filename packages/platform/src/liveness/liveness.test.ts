import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

const opened: RunningPlatform[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const { platform } of opened.splice(0)) await platform.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function start(clock: ManualClock, dataDir?: string): Promise<RunningPlatform> {
  const running = await startPlatform({
    clock,
    ...(dataDir === undefined ? {} : { memory: false, dataDir }),
  });
  opened.push(running);
  return running;
}

const statusOf = async ({ call }: RunningPlatform, id: string) =>
  (await call('GET', `/workspaces/${id}`)).body.status;
const beat = ({ call }: RunningPlatform, { id, token }: { id: string; token: string }) =>
  call('POST', '/registry/heartbeat', { token, body: { workspace_id: id } });

/** Advances the clock in steps of a sweep, so that each sweep ends before the next is due. */
async function pass(running: RunningPlatform, clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.advance(1_000);
    await running.call('GET', '/ready');
  }
}

describe('a silent agent', () => {
  it('is offline after 90 s, and online with its next heartbeat', async () => {
    const clock = new ManualClock();
    const running = await start(clock);
    const quiet = await running.join();
    const lively = await running.join();
    await pass(running, clock, 60_000);
    await beat(running, lively);
    await pass(running, clock, 29_000);
    expect(await statusOf(running, quiet.id)).toBe('online');
    await pass(running, clock, 17_000);
    expect(await statusOf(running, quiet.id)).toBe('offline');
    expect(await statusOf(running, lively.id)).toBe('online');
    expect((await beat(running, quiet)).body.workspace_status).toBe('online');
  });

  it('counts as alive by register and heartbeat only', async () => {
    const clock = new ManualClock();
    const running = await start(clock);
    const reader = await running.join();
    for (let n = 0; n < 11; n += 1) {
      await pass(running, clock, 10_000);
      await running.call('GET', `/workspaces/${reader.id}/state`, { token: reader.token });
    }
    expect(await statusOf(running, reader.id)).toBe('offline');
  });

  it('is not monitored while paused or before its first register or heartbeat', async () => {
    const clock = new ManualClock();
    const running = await start(clock);
    const paused = await running.join();
    const waiting = await running.create();
    await running.call('POST', `/workspaces/${paused.id}/pause`);
    await pass(running, clock, 200_000);
    expect(await statusOf(running, paused.id)).toBe('paused');
    expect(await statusOf(running, waiting.id)).toBe('awaiting_agent');
  });

  it('is not offline because the wall clock jumped', async () => {
    const clock = new ManualClock();
    const running = await start(clock);
    const agent = await running.join();
    clock.jumpWallClock(24 * 60 * 60_000);
    await pass(running, clock, 60_000);
    expect(await statusOf(running, agent.id)).toBe('online');
    await beat(running, agent);
    clock.jumpWallClock(-48 * 60 * 60_000);
    await pass(running, clock, 106_000);
    expect(await statusOf(running, agent.id)).toBe('offline');
  });

  it('has a whole window after a restart of the platform', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'molecule-liveness-'));
    folders.push(folder);
    const before = await start(new ManualClock(), folder);
    const agent = await before.join();
    await before.platform.close();
    const clock = new ManualClock(Date.UTC(2027, 0, 1));
    const after = await start(clock, folder);
    await pass(after, clock, 80_000);
    expect(await statusOf(after, agent.id)).toBe('online');
    await pass(after, clock, 26_000);
    await vi.waitFor(async () => expect(await statusOf(after, agent.id)).toBe('offline'));
  });
});
