import { describe, expect, it } from 'vitest';
import { agentStage, Gate, runningAgent } from '../../test/agent-stage.ts';
import { hanging } from '../../test/presence-double.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { MemoryInboundStore } from '../inbound/stores/inbound-store.ts';

describe('stop', () => {
  it('returns the same promise each time, and reports to the platform that no task is running', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler });
    await client.deliver('m1');
    await client.clock.advance(5_000);
    expect(client.heartbeats.at(-1)?.metrics).toMatchObject({
      activeTasks: 1,
      currentTask: 'handling a message',
    });
    const stopping = agent.stop();
    expect(agent.stop()).toBe(stopping);
    expect(agent.state).toBe('stopping');
    gate.open();
    await stopping;
    expect(client.heartbeats.at(-1)?.metrics).toMatchObject({ activeTasks: 0, currentTask: '' });
    expect(client.mostAtOnce).toBe(1);
    expect(client.acknowledged).toEqual(['m1']);
    expect(events.at(-1)).toBe('stopped stopped');
    expect(await agent.closed).toBe('stopped');
    expect(client.clock.pending).toBe(0);
    const count = client.heartbeats.length;
    await client.clock.advance(120_000);
    expect(client.heartbeats).toHaveLength(count);
  });

  it('closing the client ends the agent, with one error; what runs is interrupted and kept', async () => {
    const gate = new Gate();
    const store = new MemoryInboundStore();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler, store });
    await client.deliver('m1', 'm2');
    const reason = new MoleculeError('The client was closed.', { code: 'client_closed' });
    const reads = client.reads.length;
    client.closing.abort(reason);
    expect([agent.state, gate.signals[0]?.reason]).toEqual(['stopping', reason]);
    expect(await agent.closed).toBe('stopped');
    expect(events).toEqual(['message m1', 'message m2', 'stopped stopped']);
    const loud = client.logger.lines.filter(({ level }) => level === 'error' || level === 'warn');
    expect(loud).toMatchObject([{ level: 'error', fields: { error: { code: 'client_closed' } } }]);
    await client.clock.advance(600_000);
    expect([client.reads.length, client.goodbyes, client.clock.pending]).toEqual([reads, [], 0]);
    const next = await runningAgent({ store });
    await next.client.deliver('m1', 'm2');
    expect(next.client.replies).toEqual(['m1: echo m1', 'm2: echo m2']);
    await next.agent.stop();
  });

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

  it('waits for a running handler and accepts no more messages', async () => {
    const gate = new Gate();
    const { client, agent } = await runningAgent({ onMessage: gate.handler });
    await client.deliver('m1', 'm2');
    const stopping = agent.stop();
    await client.clock.advance(29_000);
    await client.deliver('m3');
    expect([agent.state, gate.signals.length, gate.signals[0]?.aborted]).toEqual(['stopping', 1, false]);
    gate.open();
    await stopping;
    expect(client.replies).toEqual(['m1: done']);
    expect(client.acknowledged).toEqual(['m1']);
    expect(client.clock.pending).toBe(0);
  });

  it('aborts a handler after the timeout; its message remains unfinished', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler, stopTimeoutMs: 10_000 });
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

  it('has a time limit while the platform is unreachable', async () => {
    const { client, agent } = await runningAgent();
    await client.deliver('m1');
    client.isFeedDown = true;
    client.goDown();
    await client.deliver('m2');
    await client.clock.advance(60_000);
    expect(agent.health().degradedReasons).toContain('platform-unreachable');
    const before = client.heartbeats.length;
    const stopping = agent.stop();
    await client.clock.advance(5_000);
    await stopping;
    expect(client.heartbeats.length - before).toBeLessThanOrEqual(1);
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

  it('ignores a pause during the shutdown', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler });
    await client.deliver('m1');
    const stopping = agent.stop();
    client.comeBack({ paused: true });
    await client.clock.advance(29_999);
    expect([agent.state, gate.signals[0]?.aborted]).toEqual(['stopping', false]);
    gate.open();
    await stopping;
    expect(events).not.toContain('paused');
    expect(await agent.closed).toBe('stopped');
  });

  it('is called by await using', async () => {
    const { client, agent } = await runningAgent();
    await (async () => {
      await using running = agent;
      expect(running.state).toBe('running');
    })();
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
  });
});
