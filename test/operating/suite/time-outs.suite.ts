import { createRemoteAgent, LongPollDelivery } from '@molecule-ai/core';
import type { LogEntry } from '@molecule-tests/harness';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROXIES, Stage } from '../src/stage.ts';

describe.each(Object.entries(PROXIES))('%s with a time-out of 3 s, shorter than a hold', (_name, kind) => {
  it('ends held requests with 504: the agent works on, and its log has the cause', async () => {
    const stage = await Stage.open({ kind, change: kind.impatient });
    onTestFinished(() => stage.close());
    const member = await stage.addMember('agent');
    const agent = stage.startAgent(member, 'agent');
    const isRefusal = ({ message }: LogEntry) => String(message).endsWith('/activity returned 504');
    const refusal = await agent.waitForLog((entries) => entries.find(isRefusal));
    expect(refusal.hint).toContain('A proxy in front of the platform gave up waiting');
    // It comes while the agent waits for its next attempt, or in a read that is held.
    for (const text of ['first', 'second']) {
      await stage.leave(member, text);
      expect((await stage.operator.waitForAnswer(member.id, text)).text).toBe(`echo: ${text}`);
    }
    expect((await stage.operator.getWorkspace(member.id)).status).toBe('online');

    // A call that waits longer than the proxy fails; its message has arrived and is answered.
    const own = { messageId: 'held', contextId: 'held' };
    const held = stage.operator.sendMessage(member.id, 'hold key', own);
    await expect(held).rejects.toMatchObject({
      code: 'platform_unavailable',
      status: 504,
      hint: expect.stringContaining('its time-out has to be longer'),
    });
    await stage.leave(member, 'release key');
    expect((await stage.operator.waitForAnswer(member.id, 'held')).text).toBe('echo: hold key');
  });

  it('lets an agent read without a pause that asks for shorter waits', async () => {
    const stage = await Stage.open({ kind, change: kind.impatient });
    onTestFinished(() => stage.close());
    const member = await stage.addMember('agent');
    const client = stage.clientOf(member);
    await using agent = createRemoteAgent({
      client,
      delivery: new LongPollDelivery({ waitSeconds: 1 }),
      onMessage: ({ text }) => `echo: ${text}`,
    });
    await agent.start();
    for (const text of ['first', 'second']) {
      await stage.leave(member, text);
      expect((await stage.operator.waitForAnswer(member.id, text)).text).toBe(`echo: ${text}`);
    }
    expect(stage.proxy.log()).toMatch(/type=a2a_receive[^\n]*wait=1\b/);
    expect(stage.proxy.log()).not.toMatch(/type=a2a_receive[^\n]*(?:" 504 |"status":504)/);
  });
});
