import { MemoryInboundStore } from '@molecule-ai/core';
import { expect } from 'vitest';
import { directPosts } from './harness/direct-posts.ts';
import { textAt } from './harness/http.ts';
import { onboard } from './harness/members.ts';
import { type PushAgentOptions, startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  allowAgentNetworks: ['127.0.0.0/8'],
  publicUrl: 'https://molecule.example.com',
  contractCheck: 'all',
} as const;

/** An agent with a server, and two peers that post to it. */
async function startStage(environment: TestEnvironment, options: PushAgentOptions = {}) {
  const platform = await environment.platform(DIRECT);
  const [loud, quiet, member] = [await onboard(platform), await onboard(platform), await onboard(platform)];
  const started = await startPushAgent(environment, platform, member, {
    store: new MemoryInboundStore(),
    ...options,
  });
  const target = { id: member.id, url: started.url };
  return { ...started, loud: await directPosts(loud, target), quiet: await directPosts(quiet, target) };
}

onEachDatabase('an agent with a server and a peer that sends much', { onDisk: true }, (environment) => {
  verifies('inbound.one-message-per-id', async () => {
    const gate = Promise.withResolvers<string>();
    const { loud, handled } = await startStage(environment, { onMessage: () => gate.promise });
    const first = loud('one');
    await expect.poll(() => handled.length).toBe(1);
    const others = [
      { metadata: { in_reply_to: 'question' } },
      { method: 'delegate_task' },
      { text: 'other' },
    ];
    const conflicts = async () => {
      const responses = await Promise.all(others.map((other) => loud('one', other)));
      return responses.map(({ status, body }) => [status, textAt(body, 'error', 'data', 'code')]);
    };
    const expected = others.map(() => [409, 'message_id_conflict']);
    expect(await conflicts()).toEqual(expected);
    gate.resolve('done');
    expect((await first).status).toBe(200);
    expect(await conflicts()).toEqual(expected);
    expect(handled).toHaveLength(1);
  });

  verifies('inbound.repeats-of-others-stay-known', async () => {
    const { loud, quiet, handled } = await startStage(environment, { concurrency: 10 });
    const first = await quiet('pay');
    expect(await quiet('pay')).toEqual(first);
    for (let sent = 0; sent < 1_010; sent += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => loud(`m-${sent + index}`)));
    }
    const { status, body } = await quiet('pay');
    expect([status, textAt(body, 'error', 'data', 'code')]).toEqual([410, 'answer_expired']);
    expect(handled.filter(({ messageId }) => messageId === 'pay')).toHaveLength(1);
  });
});
