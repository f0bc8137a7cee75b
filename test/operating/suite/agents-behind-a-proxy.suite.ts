import { A2AServer, createRemoteAgent } from '@molecule-ai/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../src/proxies.ts';
import { PROXIES, Stage } from '../src/stage.ts';

describe.each(Object.entries(PROXIES))('the server of an agent behind %s', (_name, kind) => {
  it('gets pushes and streams its answers, by the samples of the page "Behind NAT"', async () => {
    const stage = await Stage.open({ kind });
    onTestFinished(() => stage.close());
    const ports = { proxy: await freePort(), agent: await freePort() };
    const proxy = await kind.start({
      folder: stage.subfolder('agents-proxy'),
      config: kind.agentConfig(ports, stage.certificate),
    });
    onTestFinished(() => proxy.stop());
    const member = await stage.addMember('researcher');
    const gate = Promise.withResolvers<void>();
    await using agent = createRemoteAgent({
      client: stage.clientOf(member, {
        reportedUrl: `https://localhost:${ports.proxy}/researcher/`,
        agentCard: { name: 'researcher' },
      }),
      delivery: 'push',
      onMessage: async ({ text }, { stream }) => {
        if (text !== 'stream') return `echo: ${text.length}`;
        await stream('one');
        await gate.promise;
        return ' two';
      },
    });
    const server = new A2AServer({ agent, port: ports.agent });
    await server.start();
    onTestFinished(() => server.stop());
    await agent.start();

    const { text } = await stage.operator.sendMessage(member.id, 'x'.repeat(900 * 1024));
    expect(text).toBe(`echo: ${900 * 1024}`);
    const pieces: string[] = [];
    for await (const piece of stage.operator.streamMessage(member.id, 'stream')) {
      pieces.push(piece);
      gate.resolve();
    }
    expect(pieces.join('|')).toBe('one| two');
    expect(agent.health().delivery).toBe('push');
    const { deliveryMode } = await stage.operator.getWorkspace(member.id);
    expect(deliveryMode).toBe('push');
  });
});
