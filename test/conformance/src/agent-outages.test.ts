import { describe, expect } from 'vitest';
import { DELIVERY_NAMES } from './harness/agent-modes.ts';
import { onEachDatabase } from './harness/each-database.ts';
import { makeEchoAgent } from './harness/echo-agent.ts';
import { createMember, send } from './harness/members.ts';
import { MortalAgent } from './harness/mortal-agent.ts';
import { verifies } from './verifies.ts';

const HOLD = { timeoutMs: 20_000 };

describe.each(DELIVERY_NAMES)('an agent by %s in bad times', (mode) => {
  onEachDatabase('', { onDisk: true }, (site) => {
    verifies('agent.survives-sigkill', async () => {
      const platform = await site.platform();
      const member = await createMember(platform);
      const operator = site.operator(platform);
      const shared = { url: platform.url, id: member.id, token: member.token, delivery: mode };
      const stateDirectory = site.folder();
      const start = (hangs: boolean) => {
        const agent = new MortalAgent({ ...shared, stateDirectory, hangs });
        site.afterwards(() => agent.kill());
        return agent;
      };
      const first = start(true);
      await first.wrote('online');
      expect((await operator.sendMessage(member.id, 'hello', HOLD)).text).toBe('echo: hello');
      await send(platform.operator, member.id, 'hang', { messageId: 'hang' });
      await first.wrote('handling hang');
      await first.kill();
      for (const text of ['one', 'two']) await send(platform.operator, member.id, text, { messageId: text });
      const second = start(false);
      for (const messageId of ['hang', 'one', 'two']) {
        expect((await operator.waitForAnswer(member.id, messageId, HOLD)).status).toBe('answered');
      }
      const handled = second.lines.filter((line) => line.startsWith('handling'));
      expect(handled).toEqual(['handling hang', 'handling one', 'handling two']);
      const { rows } = await operator.listActivity(member.id, { direction: 'out' });
      expect(rows).toHaveLength(4);
    });

    verifies('agent.platform-comes-back', async () => {
      const platform = await site.platformProcess();
      const operator = site.operator(platform);
      const { agent, member, handled } = await makeEchoAgent(site, platform, mode);
      await agent.start();
      expect((await operator.sendMessage(member.id, 'before', HOLD)).text).toBe('echo: before');
      const told: string[] = [];
      agent.on('degraded', (reason) => told.push(`degraded: ${reason}`));
      agent.on('recovered', (reason) => told.push(`recovered: ${reason}`));
      const degraded = new Promise<void>((resolve) => agent.on('degraded', () => resolve()));
      const recovered = new Promise<void>((resolve) => agent.on('recovered', () => resolve()));
      await platform.restart(() => degraded);
      await recovered;
      expect((await operator.sendMessage(member.id, 'after', HOLD)).text).toBe('echo: after');
      expect(told).toEqual(['degraded: platform-unreachable', 'recovered: platform-unreachable']);
      expect(handled).toEqual(['before', 'after']);
    });

    verifies('agent.waits-for-the-platform', async () => {
      const platform = await site.platformProcess();
      const { agent, member } = await makeEchoAgent(site, platform, mode);
      const degraded = new Promise<string>((resolve) => agent.on('degraded', (reason) => resolve(reason)));
      let starting: Promise<void> = Promise.resolve();
      await platform.restart(async () => {
        starting = agent.start();
        expect(await degraded).toBe('platform-unreachable');
        expect(agent.state).toBe('starting');
      });
      await starting;
      const operator = site.operator(platform);
      expect((await operator.sendMessage(member.id, 'hello', HOLD)).text).toBe('echo: hello');
      await platform.restart(async () => {
        await agent.stop();
        expect(await agent.closed).toBe('stopped');
      });
    });
  });
});

onEachDatabase('two agents of one folder', (site) => {
  verifies('agent.one-process-per-folder', async () => {
    const platform = await site.platform();
    const member = await createMember(platform);
    const stateDirectory = site.folder();
    const { id, token } = member;
    const settings = {
      url: platform.url,
      id,
      token,
      stateDirectory,
      delivery: 'long-poll',
      hangs: false,
    } as const;
    const first = new MortalAgent(settings);
    site.afterwards(() => first.kill());
    await first.wrote('online');
    const second = await makeEchoAgent(site, platform, 'long-poll', { stateDirectory, member });
    await expect(second.agent.start()).rejects.toMatchObject({
      code: 'workspace_in_use',
      message: expect.stringContaining(`Process ${first.pid} `),
    });
    await first.kill();
    const third = await makeEchoAgent(site, platform, 'long-poll', { stateDirectory, member });
    await third.agent.start();
    expect(third.agent.state).toBe('running');
  });
});
