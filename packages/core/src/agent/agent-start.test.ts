import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AgentClientDouble, agentStage, runningAgent } from '../../test/agent-stage.ts';
import { hanging, limited, refusing, removed, unreachable } from '../../test/presence-double.ts';
import type { RemoteAgentOptions } from './agent-options.ts';
import { createRemoteAgent } from './create-remote-agent.ts';

describe('start', () => {
  it('registers, sends heartbeats, receives and answers', async () => {
    const { client, agent, events } = agentStage();
    expect(agent.state).toBe('idle');
    const starting = agent.start();
    expect([agent.state, agent.health().ok]).toEqual(['starting', false]);
    expect(agent.start()).toBe(starting);
    await starting;
    expect(client.calls).toEqual(['register']);
    expect(client.times).toEqual([0]);
    await client.flushPromises();
    await client.deliver('m1', 'm2');
    expect(client.replies).toEqual(['m1: echo m1', 'm2: echo m2']);
    expect(client.acknowledged.at(-1)).toBe('m2');
    expect(agent.health()).toEqual({
      state: 'running',
      presence: 'online',
      delivery: 'long-poll',
      deliveryReason: null,
      ok: true,
      degradedReasons: [],
      lastHeartbeatAt: '2026-01-01T00:00:00.000Z',
      consecutiveHeartbeatFailures: 0,
      heartbeats: 'main thread',
      eventLoopLagMs: null,
      lastInboundAt: '2026-01-01T00:00:00.000Z',
      inFlight: 0,
      inboundAgeMs: 0,
      unfinished: 0,
      acknowledged: 'm2',
      deadLetters: 0,
      lastFailure: null,
      endReason: null,
    });
    await agent.stop();
    expect(events).toEqual([
      'message m1',
      'message m2',
      'reply-sent m1',
      'delivered m1',
      'reply-sent m2',
      'delivered m2',
      'stopped stopped',
    ]);
    expect([agent.state, agent.health().ok]).toEqual(['stopped', false]);
    expect(client.clock.pending).toBe(0);
  });

  it('waits while the platform limits its requests: degraded as rate-limited, not as unreachable', async () => {
    const { client, agent, events } = agentStage();
    client.onRegister = () => {
      throw limited(20_000);
    };
    const starting = agent.start();
    await client.clock.advance(19_999);
    expect(events).toEqual(['degraded rate-limited']);
    expect(client.logger.messages('warn')).toEqual([
      expect.stringContaining('limits the rate of requests; registering is tried again in 20 s'),
    ]);
    client.comeBack();
    await client.clock.advance(1);
    await starting;
    client.onHeartbeat = () => {
      throw limited(20_000);
    };
    await client.clock.advance(60_000);
    expect(agent.health()).toMatchObject({ state: 'running', ok: false, degradedReasons: ['rate-limited'] });
    client.comeBack();
    await client.clock.advance(60_000);
    expect(agent.health()).toMatchObject({ ok: true, consecutiveHeartbeatFailures: 0 });
    expect(events.filter((event) => event.endsWith('rate-limited'))).toEqual([
      'degraded rate-limited',
      'recovered rate-limited',
      'degraded rate-limited',
      'recovered rate-limited',
    ]);
    await agent.stop();
  });

  it('reports an outage that follows a limit as unreachable', async () => {
    const { client, agent } = agentStage();
    client.onRegister = () => {
      throw limited(1_000);
    };
    const starting = agent.start();
    await client.clock.advance(500);
    expect(agent.health().degradedReasons).toEqual(['rate-limited']);
    client.goDown();
    await client.clock.advance(60_000);
    expect(agent.health().degradedReasons).toContain('platform-unreachable');
    client.comeBack();
    await client.clock.advance(60_000);
    await starting;
    expect(agent.health()).toMatchObject({ ok: true, degradedReasons: [] });
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

  it('retries while the platform is unreachable, and emits degraded', async () => {
    const { client, agent, events } = agentStage();
    client.goDown();
    const starting = agent.start();
    await client.clock.advance(60_000);
    expect(events).toEqual(['degraded platform-unreachable']);
    expect(agent.health()).toMatchObject({
      state: 'starting',
      ok: false,
      degradedReasons: ['platform-unreachable'],
    });
    client.comeBack();
    await client.clock.advance(60_000);
    await starting;
    expect(agent.health()).toMatchObject({ state: 'running', ok: true, degradedReasons: [] });
    expect(events).toEqual(['degraded platform-unreachable', 'recovered platform-unreachable']);
    expect(client.logger.messages('warn')).toEqual([
      expect.stringContaining('cannot be reached; registering is tried again'),
      'The platform can be reached: the agent is registered.',
    ]);
    await agent.stop();
    expect(client.clock.pending).toBe(0);
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

  it('rejects when the first heartbeat reports that the workspace was removed, after the shutdown', async () => {
    const { client, agent, events } = agentStage();
    client.onHeartbeat = () => Promise.reject(removed());
    await expect(agent.start()).rejects.toMatchObject({ code: 'workspace_removed' });
    expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
    expect(events).toEqual(['removed', 'stopped removed']);
    expect(await agent.closed).toBe('removed');
  });

  it('rejects when its signal aborts, during registration and during the first heartbeat', async () => {
    for (const where of ['onRegister', 'onHeartbeat'] as const) {
      const { client, agent } = agentStage();
      client[where] = hanging;
      const abort = new AbortController();
      const starting = agent.start({ signal: abort.signal });
      await client.flushPromises();
      abort.abort(new Error('given up'));
      await expect(starting).rejects.toThrow('given up');
      expect([agent.state, client.clock.pending]).toEqual(['stopped', 0]);
    }
  });

  it('does not register if its signal is already aborted', async () => {
    const { client, agent } = agentStage();
    await expect(agent.start({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(client.calls).toEqual([]);
  });

  it('does not fail when the first heartbeat fails', async () => {
    const { client, agent, events } = agentStage();
    client.onHeartbeat = () => Promise.reject(unreachable());
    await agent.start();
    expect(agent.health()).toMatchObject({ state: 'running', consecutiveHeartbeatFailures: 1 });
    await client.clock.advance(2_000);
    expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['platform-unreachable'] });
    client.comeBack();
    await client.clock.advance(10_000);
    expect(events).toEqual(['degraded platform-unreachable', 'recovered platform-unreachable']);
    await agent.stop();
  });

  it('leaves no open handles', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'agent-'));
    const before = process.getActiveResourcesInfo();
    const { agent } = await runningAgent({ client: new AgentClientDouble(folder), store: undefined });
    await agent.stop();
    // The test runner has timers of its own: only new ones count.
    const added = process.getActiveResourcesInfo();
    for (const known of before) if (added.includes(known)) added.splice(added.indexOf(known), 1);
    expect(added).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe('options', () => {
  it.each<[string, Partial<Record<keyof RemoteAgentOptions, unknown>>]>([
    ['client', { client: undefined }],
    ['onMessage', { onMessage: 'echo' }],
    ['onPause', { onPause: 'sleep' }],
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['concurrency', { concurrency: '2' }],
    ['readAhead', { readAhead: 1, concurrency: 2 }],
    ['handlerTimeoutMs', { handlerTimeoutMs: 0 }],
    ['stopTimeoutMs', { stopTimeoutMs: -1 }],
    ['stopTimeoutMs', { stopTimeoutMs: Number.POSITIVE_INFINITY }],
    ['heartbeatIntervalMs', { heartbeatIntervalMs: 31_000 }],
    ['heartbeatIntervalMs', { heartbeatIntervalMs: 999 }],
    ['delivery', { delivery: 'push' }],
  ])('reports an invalid %s', (name, bad) => {
    const options = { client: new AgentClientDouble(), onMessage: () => {}, ...bad } as RemoteAgentOptions;
    expect(() => createRemoteAgent(options)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', message: expect.stringContaining(name) }),
    );
  });
});
