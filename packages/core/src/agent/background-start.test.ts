import { describe, expect, it } from 'vitest';
import { AgentClientDouble, agentStage } from '../../test/agent-stage.ts';
import { hanging, refusing, removed } from '../../test/presence-double.ts';

describe('start({ wait: false })', () => {
  it('resolves at once and goes on in the background, also while the platform is unreachable', async () => {
    const { client, agent, events } = agentStage();
    client.goDown();
    await agent.start({ wait: false });
    expect([agent.state, agent.health().ok]).toEqual(['starting', false]);
    await client.clock.advance(60_000);
    expect(agent.health()).toMatchObject({ degradedReasons: ['platform-unreachable'] });
    client.comeBack();
    await client.clock.advance(60_000);
    // A later call waits.
    await agent.start();
    expect(agent.health()).toMatchObject({ state: 'running', ok: true });
    expect(events).toEqual(['degraded platform-unreachable', 'recovered platform-unreachable']);
    await agent.stop();
    expect(await agent.closed).toBe('stopped');
  });

  it('reports an error that ends the start: as an event, in the log, and by closed', async () => {
    const { client, agent, events } = agentStage();
    client.onRegister = refusing(401, 'unauthorized');
    const failures: unknown[] = [];
    agent.on('start-failed', (error) => failures.push(error));
    await agent.start({ wait: false });
    await expect(agent.closed).rejects.toMatchObject({ code: 'unauthorized' });
    expect(failures).toEqual([expect.objectContaining({ code: 'unauthorized' })]);
    expect(events.map((event) => event.split(' ')[0])).toEqual(['start-failed']);
    expect(client.logger.messages('error')).toEqual(['The agent could not start.']);
    const line = client.logger.lines.find(({ level }) => level === 'error');
    expect(line?.fields.error).toMatchObject({ code: 'unauthorized', message: expect.any(String) });
    expect(line?.fields.error).not.toHaveProperty('stack');
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
    expect(agent.health()).toMatchObject({ ok: false, degradedReasons: [], endReason: 'unauthorized' });
    await expect(agent.start()).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('reports a URL that nothing serves', async () => {
    const double = new AgentClientDouble();
    double.reportedUrl = 'https://agent.test/';
    const { client, agent, events } = agentStage({ delivery: 'push' }, double);
    await agent.start({ wait: false });
    const problem = { code: 'configuration_invalid', message: expect.stringContaining('nothing serves') };
    await expect(agent.closed).rejects.toMatchObject(problem);
    expect(events.map((event) => event.split(' ')[0])).toEqual(['start-failed']);
    expect(client.logger.messages('error')).toEqual(['The agent could not start.']);
    expect([agent.state, client.calls, client.clock.pending]).toEqual(['stopped', [], 0]);
  });

  it('leaves no unhandled rejection when nobody listens', async () => {
    const unhandled: unknown[] = [];
    const record = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', record);
    try {
      const { client, agent } = agentStage();
      client.onRegister = refusing(401, 'unauthorized');
      await agent.start({ wait: false });
      while (agent.state !== 'stopped') await client.flushPromises();
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', record);
    }
  });

  it.each([
    ['a removed workspace', 'removed'],
    ['a stop', 'stopped'],
    ['an abort', 'stopped'],
  ] as const)('%s is an outcome, not an error', async (cause, outcome) => {
    const { client, agent, events } = agentStage();
    const abort = new AbortController();
    if (cause === 'a removed workspace') client.onHeartbeat = () => Promise.reject(removed());
    else client.onRegister = hanging;
    await agent.start({ wait: false, signal: abort.signal });
    await client.flushPromises();
    if (cause === 'a stop') await agent.stop();
    if (cause === 'an abort') abort.abort(new Error('given up'));
    expect(await agent.closed).toBe(outcome);
    expect(events.at(-1)).toBe(`stopped ${outcome}`);
    expect(client.logger.messages('error')).not.toContain('The agent could not start.');
  });

  it('rejects for an agent that was stopped before', async () => {
    const { agent } = agentStage();
    await agent.stop();
    await expect(agent.start({ wait: false })).rejects.toMatchObject({ code: 'agent_stopped' });
  });
});
