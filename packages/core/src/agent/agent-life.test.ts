import { describe, expect, it } from 'vitest';
import { AgentClientDouble, agentStage, Gate, runningAgent } from '../../test/agent-stage.ts';
import { removed } from '../../test/presence-double.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { ONBOARD_AGAIN } from '../presence/presence-machine.ts';
import { runAgentLoop } from './run-agent-loop.ts';

describe('pause', () => {
  it('waits by default: aborts handlers and handles their messages again after the resume', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler });
    await client.deliver('m1');
    client.comeBack({ paused: true });
    await client.clock.advance(30_000);
    await client.flushPromises();
    expect(gate.signals[0]?.reason).toMatchObject({ code: 'workspace_paused' });
    expect(agent.health()).toMatchObject({ state: 'paused', presence: 'paused', ok: true, inFlight: 0 });
    await client.deliver('m2');
    await client.clock.advance(120_000);
    expect(gate.signals).toHaveLength(1);
    client.comeBack();
    await client.clock.advance(30_000);
    await client.flushPromises();
    expect(agent.health()).toMatchObject({ state: 'running', inFlight: 1 });
    expect(gate.signals).toHaveLength(2);
    gate.open();
    await client.flushPromises();
    gate.open();
    await client.flushPromises();
    expect(client.replies).toEqual(['m1: done', 'm2: done']);
    expect(events.filter((event) => event === 'paused' || event === 'resumed')).toEqual([
      'paused',
      'resumed',
    ]);
    expect(events).not.toContain('retry m1');
    await agent.stop();
    expect(client.clock.pending).toBe(0);
  });

  it('at the start: the agent waits for the resume before it receives', async () => {
    const { client, agent } = agentStage();
    client.comeBack({ paused: true });
    await agent.start();
    await client.deliver('m1');
    expect([agent.state, client.replies]).toEqual(['paused', []]);
    client.comeBack();
    await client.clock.advance(30_000);
    await client.flushPromises();
    expect([agent.state, client.replies]).toEqual(['running', ['m1: echo m1']]);
    await agent.stop();
  });

  it('stop during a pause ends the agent', async () => {
    const { client, agent } = agentStage();
    client.comeBack({ paused: true });
    await agent.start();
    await agent.stop();
    expect([await agent.closed, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('ends the agent with onPause stop', async () => {
    const gate = new Gate();
    const { client, agent, events } = await runningAgent({ onMessage: gate.handler, onPause: 'stop' });
    await client.deliver('m1');
    client.comeBack({ paused: true });
    await client.clock.advance(30_000);
    expect(await agent.closed).toBe('paused');
    expect(gate.signals[0]?.reason).toMatchObject({ code: 'workspace_paused' });
    expect(events).toEqual(['message m1', 'paused', 'stopped paused']);
    expect(client.clock.pending).toBe(0);
  });
});

describe('removal and revocation', () => {
  it.each(['removed', 'revoked'] as const)(
    '%s ends the agent, with one error that says what to do',
    async (end) => {
      const { client, agent, events } = await runningAgent();
      client.refuse();
      if (end === 'removed') client.onHeartbeat = () => Promise.reject(removed());
      await client.clock.advance(37_000);
      expect(await agent.closed).toBe(end);
      expect(events).toEqual([end, `stopped ${end}`]);
      expect(agent.health()).toMatchObject({ state: 'stopped', presence: end, ok: false });
      expect(client.logger.messages('error')).toEqual([expect.stringContaining(ONBOARD_AGAIN)]);
      expect(client.clock.pending).toBe(0);
      const count = client.heartbeats.length;
      await agent.stop();
      expect(client.heartbeats).toHaveLength(count);
    },
  );

  it('a read that is refused as removed is confirmed by a heartbeat at once', async () => {
    const { client, agent } = await runningAgent();
    client.onRead = () => {
      throw removed();
    };
    await client.deliver('m1');
    expect(client.heartbeats).toHaveLength(2);
    expect(agent.state).toBe('running');
    client.onHeartbeat = () => Promise.reject(removed());
    await client.clock.advance(15_000);
    expect(agent.state).toBe('stopped');
    expect(await agent.closed).toBe('removed');
  });
});

describe('heartbeats', () => {
  it('are sent on time while a handler takes a minute', async () => {
    const clients = new AgentClientDouble();
    const { client, agent } = await runningAgent({
      client: clients,
      onMessage: async () => {
        await clients.clock.sleep(60_000);
        return 'slow';
      },
    });
    await client.deliver('m1');
    await client.clock.advance(90_000);
    expect(client.times).toEqual([0, 2_000, 32_000, 60_250]);
    expect(client.heartbeats.map((heartbeat) => heartbeat.metrics.activeTasks)).toEqual([0, 1, 1, 0]);
    expect(client.replies).toEqual(['m1: slow']);
    await agent.stop();
  });

  it('report progress and the share of failures, never a text of a message', async () => {
    const { client, agent, events } = await runningAgent({
      onMessage: (message, context) => {
        context.progress('counting\nbeans');
        if (context.attempt === 1) throw new Error(`cannot parse ${message.text}`);
        return new Promise<void>(() => {});
      },
    });
    await client.deliver('m1');
    await client.clock.advance(5_000);
    await client.flushPromises();
    await client.clock.advance(30_000);
    expect(events).toContain('retry m1');
    expect(client.heartbeats.at(-1)?.metrics).toMatchObject({
      currentTask: 'counting beans',
      activeTasks: 1,
      errorRate: 1,
      sampleError: 'Error',
    });
    expect(JSON.stringify(client.heartbeats)).not.toContain('cannot parse');
    const [failure] = client.logger.lines.filter(({ level }) => level === 'warn');
    expect(failure).toMatchObject({
      fields: {
        messageId: 'message-m1',
        attempt: 1,
        nextAttemptInMs: 1_000,
        error: {
          name: 'Error',
          message: 'cannot parse [text of the message]',
          stack: expect.stringContaining('agent-life.test.ts'),
        },
      },
    });
    expect(JSON.stringify(client.logger.lines)).not.toContain('text of m1');
    const stopping = agent.stop({ timeoutMs: 0 });
    await client.clock.advance(5_000);
    await stopping;
  });
});

it('logs that somebody rejected an action as information, without an error', async () => {
  const cause = new Error('bad');
  const { client, agent } = await runningAgent({
    onMessage: ({ id }) => {
      throw new MessageFailure('No.', { code: 'rejected', ...(id === 'm2' ? { cause } : {}) });
    },
  });
  await client.deliver('m1');
  await client.deliver('m2');
  await client.flushPromises();
  const ends = client.logger.lines.filter(({ fields }) => fields.code === 'rejected');
  expect(ends.map(({ level, fields }) => [level, fields.messageId, 'error' in fields])).toEqual([
    ['info', 'message-m1', false],
    ['warn', 'message-m2', true],
  ]);
  await agent.stop();
});

describe('listeners', () => {
  it('that throw or reject are logged and do not affect the agent or other listeners', async () => {
    const { client, agent, events } = agentStage();
    agent.on('message', ({ text }) => {
      throw new Error(`Cannot handle "${text}".`);
    });
    agent.on('delivered', () => Promise.reject(new Error('rejected')));
    const seen: string[] = [];
    agent.on('message', (message) => seen.push(message.id));
    await agent.start();
    await client.flushPromises();
    await client.deliver('m1');
    expect([seen, client.replies]).toEqual([['m1'], ['m1: echo m1']]);
    const logged = client.logger.lines.filter(({ message }) => message === 'A listener of the agent failed.');
    expect(logged.map(({ fields }) => fields.event)).toEqual(['message', 'delivered']);
    const errors = logged.map(({ fields }) => Reflect.get(Object(fields.error), 'message'));
    expect(errors).toEqual(['Cannot handle "[text of the message]".', 'rejected']);
    await agent.stop();
    expect(events.at(-1)).toBe('stopped stopped');
  });

  it('are removed by the function that on() returned, once, and by off()', async () => {
    const { client, agent } = await runningAgent();
    const seen: string[] = [];
    const listener = (message: { id: string }): void => void seen.push(message.id);
    const off = agent.on('message', listener);
    off();
    off();
    await client.deliver('m1');
    agent.on('message', listener);
    off();
    await client.deliver('m2');
    agent.off('message', listener);
    agent.off('paused', () => {});
    await client.deliver('m3');
    expect(seen).toEqual(['m2']);
    await agent.stop();
  });

  it('can stop the agent', async () => {
    const { client, agent } = await runningAgent();
    agent.on('delivered', () => agent.stop());
    await client.deliver('m1');
    expect(await agent.closed).toBe('stopped');
    expect(client.clock.pending).toBe(0);
  });
});

describe('runAgentLoop', () => {
  const quiet = { store: undefined, random: () => 1 };

  it('resolves with paused, removed or revoked', async () => {
    for (const outcome of ['paused', 'removed', 'revoked'] as const) {
      const client = new AgentClientDouble('/dev/null/agent');
      const running = runAgentLoop(client, () => {}, quiet);
      await client.clock.waitForPending();
      if (outcome === 'paused') client.comeBack({ paused: true });
      else client.refuse(() => (outcome === 'removed' ? Promise.reject(removed()) : {}));
      await client.clock.advance(40_000);
      expect(await running).toBe(outcome);
    }
  });

  it('resolves with stopped when the signal aborts: before, while starting, while running', async () => {
    const early = new AgentClientDouble('/dev/null/agent');
    expect(await runAgentLoop(early, () => {}, { ...quiet, signal: AbortSignal.abort() })).toBe('stopped');
    expect(early.calls).toEqual([]);
    for (const isDown of [true, false]) {
      const client = new AgentClientDouble('/dev/null/agent');
      if (isDown) client.goDown();
      const abort = new AbortController();
      const running = runAgentLoop(client, () => {}, { ...quiet, signal: abort.signal });
      await client.clock.waitForPending();
      abort.abort();
      expect(await running).toBe('stopped');
      expect(client.clock.pending).toBe(0);
    }
  });

  it('rejects with the error of start', async () => {
    const client = new AgentClientDouble('/dev/null/agent');
    client.refuse();
    await expect(runAgentLoop(client, () => {}, quiet)).rejects.toMatchObject({ code: 'unauthorized' });
    expect(client.clock.pending).toBe(0);
  });

  it('calls onStarted with the agent', async () => {
    const client = new AgentClientDouble('/dev/null/agent');
    const abort = new AbortController();
    const started: string[] = [];
    const running = runAgentLoop(client, () => {}, {
      ...quiet,
      signal: abort.signal,
      onStarted: (agent) => started.push(agent.state),
    });
    await client.clock.waitForPending();
    await client.flushPromises();
    abort.abort();
    expect(await running).toBe('stopped');
    expect(started).toEqual(['running']);
  });

  it('resolves with removed, also if the workspace was removed before the start', async () => {
    for (const when of ['register', 'heartbeat'] as const) {
      const client = new AgentClientDouble('/dev/null/agent');
      client[when] = async () => {
        throw removed();
      };
      expect(await runAgentLoop(client, () => {}, quiet)).toBe('removed');
      expect(client.clock.pending).toBe(0);
    }
  });
});
