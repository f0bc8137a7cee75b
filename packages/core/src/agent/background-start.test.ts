import { describe, expect, it } from 'vitest';
import { agentStage } from '../../test/agent-stage.ts';
import { hanging, refusing, removed } from '../../test/presence-double.ts';

describe('start({ wait: false })', () => {
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
});
