import { createRemoteAgent } from '@molecule-ai/core';
import { expect, vi } from 'vitest';
import { recordTelemetry } from '../harness/telemetry.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

onEachDatabase('telemetry of a blocked agent', (environment) => {
  verifies('tracing.event-loop', async () => {
    const telemetry = recordTelemetry(environment);
    const platform = await environment.platformProcess();
    const { id, authToken = '' } = await environment.operator(platform).createWorkspace({ name: 'blocked' });
    const client = environment.client(platform, { id, token: authToken ?? '' });
    const agent = createRemoteAgent({
      client,
      onMessage: () => {},
      presence: { heartbeatIntervalMs: 1_000 },
    });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    await vi.waitFor(() => expect(agent.health().heartbeats).toBe('worker'), { timeout: 20_000 });
    const { lastHeartbeatAt } = agent.health();
    await vi.waitFor(() => expect(agent.health().lastHeartbeatAt).not.toBe(lastHeartbeatAt), {
      timeout: 20_000,
    });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
    const named = async (name: string) => (await telemetry.points()).filter((point) => point.name === name);
    await vi.waitFor(
      async () => {
        const heartbeats = (await named('molecule.agent.heartbeats')).map(({ attributes }) => attributes);
        expect(heartbeats).toContainEqual({ 'molecule.result': 'ok' });
        expect(heartbeats).toContainEqual({ 'molecule.result': 'ok', 'molecule.repeated': true });
      },
      { timeout: 20_000 },
    );
    const [lag, ...others] = await named('molecule.agent.event_loop.lag');
    expect(others).toEqual([]);
    expect(lag?.value).toBeGreaterThan(4);
    await agent.stop();
  });
});
