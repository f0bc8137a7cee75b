import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DegradedReason, FileInboundStore } from '@molecule-ai/core';
import { describe, expect } from 'vitest';
import { DELIVERY_NAMES } from './harness/agent-modes.ts';
import { onEachDatabase } from './harness/each-database.ts';
import { makeEchoAgent } from './harness/echo-agent.ts';
import { onboard, send } from './harness/members.ts';
import { verifies } from './verifies.ts';

const HOLD = { timeoutMs: 20_000 };

describe.each(DELIVERY_NAMES)('an agent by %s', (mode) => {
  onEachDatabase('', (site) => {
    verifies(['agent.answers-people-and-peers', 'agent.state-is-private'], async () => {
      const platform = await site.platform();
      const stateDirectory = join(site.folder(), 'state');
      const { agent, member } = await makeEchoAgent(site, platform, mode, { stateDirectory });
      await agent.start();
      const peer = site.client(platform, await onboard(platform));
      const [person, reply] = await Promise.all([
        site.operator(platform).sendMessage(member.id, 'hello', HOLD),
        peer.callPeer(member.id, 'hi', HOLD),
      ]);
      expect(person).toMatchObject({ status: 'answered', text: 'echo: hello' });
      expect(reply).toMatchObject({ status: 'answered', text: 'echo: hi' });
      expect(JSON.stringify(reply.raw)).toContain('[A2A_RESULT_FROM_PEER]');
      expect(agent.health()).toMatchObject({ state: 'running', ok: true, degradedReasons: [] });
      await agent.stop();
      expect(await agent.closed).toBe('stopped');
      expect(statSync(stateDirectory).mode & 0o777).toBe(0o700);
      for (const file of readdirSync(stateDirectory, { recursive: true, withFileTypes: true })) {
        const facts = statSync(join(file.parentPath, file.name));
        expect(facts.mode & 0o777, file.name).toBe(file.isDirectory() ? 0o700 : 0o600);
      }
    });

    verifies('agent.keeps-the-order', async () => {
      const platform = await site.platform();
      const { agent, member, handled } = await makeEchoAgent(site, platform, mode);
      const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
      for (const text of texts) await send(platform.operator, member.id, text, { messageId: text });
      await agent.start();
      const last = await site.operator(platform).waitForAnswer(member.id, '29', HOLD);
      expect(last).toMatchObject({ status: 'answered' });
      expect(handled).toEqual(texts);
    });

    verifies('agent.echoes-fall-silent', async () => {
      const platform = await site.platform();
      const one = await makeEchoAgent(site, platform, mode);
      const two = await makeEchoAgent(site, platform, mode);
      await one.agent.start();
      await two.agent.start();
      // Nobody waits for the answer, so it arrives on the feed, where another echo could begin.
      await send(one.member.caller, two.member.id, 'ping', { messageId: 'ping' });
      const client = site.client(platform, one.member);
      expect((await client.waitForAnswer('ping', HOLD)).text).toBe('echo: ping');
      // Whatever the two still had to say to each other comes before these answers.
      const operator = site.operator(platform);
      await Promise.all([one, two].map(({ member }) => operator.sendMessage(member.id, 'done?', HOLD)));
      expect(two.handled.filter((text) => text.includes('ping'))).toEqual(['ping']);
      expect(one.handled.filter((text) => text.includes('ping')).length).toBeLessThanOrEqual(1);
    });

    verifies('agent.pause-keeps-messages', async () => {
      const platform = await site.platform();
      const { agent, member, handled } = await makeEchoAgent(site, platform, mode);
      await agent.start();
      const operator = site.operator(platform);
      const paused = new Promise<void>((resolve) => agent.on('paused', () => resolve()));
      await operator.pause(member.id);
      await paused;
      const kept = await operator.sendMessage(member.id, 'while paused');
      expect(kept).toMatchObject({ status: 'queued', isHeld: true });
      expect(handled).toEqual([]);
      await operator.resume(member.id);
      const answer = await operator.waitForAnswer(member.id, kept.messageId, HOLD);
      expect(answer.text).toBe('echo: while paused');
      expect(handled).toEqual(['while paused']);
    });

    verifies('agent.ends-removed', async () => {
      const platform = await site.platform();
      const { agent, member } = await makeEchoAgent(site, platform, mode);
      await agent.start();
      await site.operator(platform).deleteWorkspace(member.id);
      expect(await agent.closed).toBe('removed');
      expect(agent.state).toBe('stopped');
    });

    verifies('agent.position-unknown', async () => {
      const platform = await site.platform();
      const stateDirectory = site.folder();
      const first = await makeEchoAgent(site, platform, mode, { stateDirectory });
      await first.agent.start();
      const operator = site.operator(platform);
      await operator.sendMessage(first.member.id, 'before', HOLD);
      await first.agent.stop();
      const store = new FileInboundStore(stateDirectory);
      expect((await store.load()).join()).toContain('"acknowledged":"');
      // A position alone, as a bare id.
      await store.replace([crypto.randomUUID()]);
      await send(platform.operator, first.member.id, 'after', { messageId: 'after' });
      const second = await makeEchoAgent(site, platform, mode, { stateDirectory, member: first.member });
      const lost: unknown[] = [];
      second.agent.on('cursor-lost', (error) => lost.push(error));
      await second.agent.start();
      const answer = await operator.waitForAnswer(first.member.id, 'after', HOLD);
      expect(answer.text).toBe('echo: after');
      expect(lost).toHaveLength(1);
      expect(second.handled).toEqual(['after']);
    });

    verifies('agent.folder-unwritable', async () => {
      const platform = await site.platform();
      const file = join(site.folder(), 'a-file');
      writeFileSync(file, '');
      const stateDirectory = join(file, 'state');
      const { agent, member } = await makeEchoAgent(site, platform, mode, { stateDirectory });
      const troubles: DegradedReason[] = [];
      agent.on('degraded', (reason) => troubles.push(reason));
      await agent.start();
      const operator = site.operator(platform);
      expect((await operator.sendMessage(member.id, 'hello', HOLD)).text).toBe('echo: hello');
      expect((await operator.sendMessage(member.id, 'again', HOLD)).text).toBe('echo: again');
      expect(troubles).toEqual(['storage']);
      expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['storage'] });
    });
  });
});
