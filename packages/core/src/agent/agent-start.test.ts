import { describe, expect, it, vi } from 'vitest';
import { agentStage } from '../../test/agent-stage.ts';
import { limited, refusing, removed } from '../../test/presence-double.ts';
import { systemClock } from '../time/clock.ts';

describe('start', () => {
  it('is missed after a minute, once, unless the agent was started, stopped or its client closed', async () => {
    const text = 'The agent was created a minute ago, and nobody has started it.';
    const forgotten = agentStage();
    await forgotten.client.clock.advance(600_000);
    expect(forgotten.client.logger.messages('warn')).toEqual([text]);
    const stopped = agentStage();
    await stopped.agent.stop();
    const closed = agentStage();
    closed.client.closing.abort();
    for (const { client } of [stopped, closed]) {
      await client.clock.advance(600_000);
      expect(client.logger.messages('warn')).toEqual([]);
    }
  });

  it('warns where the timers of the process are faked', async () => {
    const { client, agent } = agentStage();
    Object.defineProperty(client, 'clock', { value: systemClock });
    vi.useFakeTimers();
    const starting = agentStage({}, client).agent.start({ wait: false });
    await starting;
    vi.useRealTimers();
    expect(client.logger.messages('warn')).toEqual(['The timers of this process are faked.']);
    await agent.stop();
  });

  it('is degraded as rate-limited while the platform limits reads of the state', async () => {
    const { client, agent } = agentStage();
    client.onHeartbeat = () => ({ workspaceStatus: null, paused: null });
    client.onPollState = () => {
      throw limited(1_000);
    };
    await agent.start();
    expect(agent.health()).toMatchObject({ state: 'running', degradedReasons: ['rate-limited'] });
    client.comeBack();
    client.onHeartbeat = () => ({ workspaceStatus: null, paused: null });
    await client.clock.advance(60_000);
    expect(agent.health().degradedReasons).toEqual([]);
    await agent.stop();
  });

  it.each([
    ['a bad token', refusing(401, 'unauthorized'), 'unauthorized'],
    ['a wrong organisation', refusing(403, 'access_denied'), 'access_denied'],
    ['a missing organisation', refusing(404, 'routing_problem', 'org_mismatch'), 'routing_problem'],
    ['an error page of a web server', refusing(501, 'routing_problem'), 'routing_problem'],
    ['a removed workspace', () => Promise.reject(removed()), 'workspace_removed'],
  ] as const)('rejects for %s and releases everything', async (_name, onRegister, code) => {
    const { client, agent, events } = agentStage();
    client.onRegister = onRegister;
    const starting = agent.start();
    await expect(starting).rejects.toMatchObject({ code });
    expect(events).toEqual([]);
    expect(agent.start()).toBe(starting);
    expect(await agent.closed).toBe('stopped');
    expect([agent.state, client.heartbeats.length, client.clock.pending]).toEqual(['stopped', 0, 0]);
    await agent.stop();
  });

  it('retries a 404 that has no code of the platform', async () => {
    const { client, agent } = agentStage();
    client.onRegister = refusing(404, 'routing_problem');
    const starting = agent.start();
    await client.clock.advance(60_000);
    expect(agent.state).toBe('starting');
    client.comeBack();
    await client.clock.advance(30_000);
    await starting;
    await agent.stop();
    expect(client.logger.messages('warn')).toEqual([
      expect.stringMatching(
        /^The server at \S+ does not answer as a platform does; registering is tried again/,
      ),
      'The platform can be reached: the agent is registered.',
    ]);
  });
});
