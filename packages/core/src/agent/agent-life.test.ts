import { describe, expect, it } from 'vitest';
import { AgentClientDouble, agentStage, runningAgent } from '../../test/agent-stage.ts';
import { removed } from '../../test/presence-double.ts';
import { runAgentLoop } from './remote-agent-client.ts';

describe('heartbeats', () => {
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
});

describe('runAgentLoop', () => {
  const quiet = { store: undefined };

  it('resolves with stopped when the signal aborts: before, while starting, while running', async () => {
    const early = new AgentClientDouble('/dev/null/agent');
    expect(await runAgentLoop(early.asClient, () => {}, { ...quiet, signal: AbortSignal.abort() })).toBe(
      'stopped',
    );
    expect(early.calls).toEqual([]);
    for (const isDown of [true, false]) {
      const client = new AgentClientDouble('/dev/null/agent');
      if (isDown) client.goDown();
      const abort = new AbortController();
      const running = runAgentLoop(client.asClient, () => {}, { ...quiet, signal: abort.signal });
      await client.clock.waitForPending();
      abort.abort();
      expect(await running).toBe('stopped');
      expect(client.clock.pending).toBe(0);
    }
  });

  it('rejects with the error of start', async () => {
    const client = new AgentClientDouble('/dev/null/agent');
    client.refuse();
    await expect(runAgentLoop(client.asClient, () => {}, quiet)).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(client.clock.pending).toBe(0);
  });

  it('resolves with removed, also if the workspace was removed before the start', async () => {
    for (const when of ['register', 'heartbeat'] as const) {
      const client = new AgentClientDouble('/dev/null/agent');
      client[when] = async () => {
        throw removed();
      };
      expect(await runAgentLoop(client.asClient, () => {}, quiet)).toBe('removed');
      expect(client.clock.pending).toBe(0);
    }
  });
});
