import { describe, expect, it } from 'vitest';
import { agentStage, Gate, runningAgent } from '../../test/agent-stage.ts';
import { hanging } from '../../test/presence-double.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

describe('stop', () => {
  it('closing the client while the agent starts rejects the start with client_closed', async () => {
    const { client, agent } = agentStage();
    client.onRegister = hanging;
    const rejected = expect(agent.start()).rejects.toMatchObject({ code: 'client_closed' });
    await client.flushPromises();
    client.closing.abort(new MoleculeError('The client was closed.', { code: 'client_closed' }));
    await rejected;
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('before start: start then rejects', async () => {
    const { client, agent } = agentStage();
    await agent.stop();
    expect(await agent.closed).toBe('stopped');
    await expect(agent.start()).rejects.toMatchObject({ code: 'agent_stopped' });
    expect([client.calls, client.heartbeats, client.clock.pending]).toEqual([[], [], 0]);
  });

  it.each(['onRegister', 'onHeartbeat'] as const)('while start waits in %s', async (where) => {
    const { client, agent } = agentStage();
    client[where] = hanging;
    const starting = agent.start();
    await client.flushPromises();
    const stopped = agent.stop();
    const rejected = expect(starting).rejects.toMatchObject({ code: 'agent_stopped' });
    await client.clock.advance(2_000);
    await stopped;
    await rejected;
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('aborts a handler after the timeout; its message remains unfinished', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({
      onMessage: gate.handler,
      limits: { stopTimeoutMs: 10_000 },
    });
    await client.deliver('m1');
    const stopping = agent.stop();
    await client.clock.advance(9_999);
    expect(gate.signals[0]?.aborted).toBe(false);
    await client.clock.advance(1);
    expect(gate.signals[0]?.reason).toMatchObject({ code: 'agent_stopped' });
    await stopping;
    expect([client.replies, client.acknowledged]).toEqual([[], []]);
    expect(events).toEqual(['message m1', 'stopped stopped']);
    expect(client.clock.pending).toBe(0);
  });

  it('does not wait for a handler that ignores its signal, and logs a warning', async () => {
    const { client, agent } = await runningAgent({ onMessage: () => new Promise(() => {}) });
    await client.deliver('m1');
    const stopping = agent.stop({ timeoutMs: 1_000 });
    await client.clock.advance(6_000);
    await stopping;
    expect(client.logger.messages('warn')).toContain(
      'Handlers did not react to their abort signal; the agent no longer waits for them.',
    );
    expect(client.heartbeats.at(-1)?.metrics.activeTasks).toBe(0);
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('has a time limit while requests hang', async () => {
    const { client, agent } = await runningAgent();
    client.onHeartbeat = hanging;
    const stopping = agent.stop();
    await client.clock.advance(2_000);
    await stopping;
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('does not wait for a delivery that ignores its signal', async () => {
    const delivery = { name: 'stubborn', expectedSilenceMs: 60_000, run: () => new Promise<void>(() => {}) };
    const { client, agent } = await runningAgent({ delivery });
    const stopping = agent.stop();
    await client.clock.advance(5_000);
    await stopping;
    expect(client.logger.messages('warn')).toEqual([
      'The delivery did not react to its abort signal; the agent no longer waits for it.',
    ]);
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });
});
