import { appendFile, copyFile, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileInboundStore, MemoryInboundStore } from '@molecule-ai/core';
import { expect } from 'vitest';
import { directPosts } from './harness/direct-posts.ts';
import { textAt } from './harness/http.ts';
import { onboard, send } from './harness/members.ts';
import { type PushAgentOptions, startPushAgent } from './harness/push-agent.ts';
import type { TestPlatformOptions } from './harness/running-platform.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;

/** An agent with a server, and two peers that post to it. */
async function startStage(
  environment: TestEnvironment,
  options: PushAgentOptions = {},
  platformOptions: TestPlatformOptions = {},
) {
  const platform = await environment.platform({ ...DIRECT, ...platformOptions });
  const [loud, quiet, member] = [await onboard(platform), await onboard(platform), await onboard(platform)];
  const started = await startPushAgent(environment, platform, member, {
    store: new MemoryInboundStore(),
    ...options,
  });
  const target = { id: member.id, url: started.url };
  const posts = { loud: await directPosts(loud, target), quiet: await directPosts(quiet, target) };
  return { ...started, platform, member, ...posts };
}

onEachDatabase('an agent with a server and a peer that sends much', { onDisk: true }, (environment) => {
  verifies('messages.dedupe.other-body', 'one message per id', async () => {
    const gate = Promise.withResolvers<string>();
    const { loud, handled } = await startStage(environment, { onMessage: () => gate.promise });
    const first = loud('one');
    await expect.poll(() => handled.length, { timeout: 10_000 }).toBe(1);
    const others = [{ method: 'delegate_task' }, { text: 'other' }];
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

  verifies('inbound.one-peer-harms-no-other', 'request shares', async () => {
    const gate = Promise.withResolvers<string>();
    const { platform, member, loud, quiet, handled, url } = await startStage(environment, {
      concurrency: 16,
      handler: { maxConcurrentRequests: 16 },
      onMessage: ({ text }) => (text === 'slow' ? gate.promise : 'ok'),
    });
    const taken = Array.from({ length: 4 }, (_, index) =>
      loud(`m-${index}`, { text: 'slow', holdSeconds: 300 }),
    );
    await expect.poll(() => handled.length, { timeout: 10_000 }).toBe(4);
    const { status, body } = await loud('one more');
    expect([status, textAt(body, 'error', 'data', 'code')]).toEqual([429, 'rate_limited']);
    expect((await quiet('hello')).status).toBe(200);
    const probe = await platform.operator.post(`/workspaces/${member.id}/probe`, {});
    expect(probe.body).toMatchObject({ reachable: true });
    expect((await fetch(`${url}/.well-known/agent-card.json`)).status).toBe(200);
    const pushed = await send(platform.operator, member.id, 'from a person', { hold: 10 });
    expect([pushed.status, handled.at(-1)?.text]).toEqual([200, 'from a person']);
    gate.resolve('done');
    for (const response of taken) expect((await response).status).toBe(200);
    expect((await loud('one more')).status).toBe(200);
  });

  verifies('messages.dedupe.same-message', 'one request per message', async () => {
    const gate = Promise.withResolvers<string>();
    const { loud, quiet, handled } = await startStage(environment, {
      handler: { maxConcurrentRequests: 8 },
      onMessage: ({ text }) => (text === 'slow' ? gate.promise : 'ok'),
    });
    const slow = { text: 'slow', holdSeconds: 300 };
    let latest = loud('one', slow);
    await expect.poll(() => handled.length, { timeout: 10_000 }).toBe(1);
    for (let repeat = 0; repeat < 10; repeat += 1) {
      const earlier = latest;
      latest = loud('one', slow);
      const { status, body } = await earlier;
      expect([status, textAt(body, 'result', 'status', 'state')]).toEqual([200, 'working']);
    }
    expect((await quiet('hello')).status).toBe(200);
    gate.resolve('done');
    expect(textAt((await latest).body, 'result', 'kind')).toBe('message');
    expect(handled.map(({ messageId }) => messageId)).toEqual(['one', 'hello']);
  });

  verifies('inbound.one-peer-harms-no-other', 'repeats of others stay known', async () => {
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

  verifies('inbound.one-peer-harms-no-other', 'room is shared', async () => {
    const { loud, quiet, platform, member } = await startStage(environment, {
      onMessage: ({ text }, { signal }) =>
        text === 'flood'
          ? new Promise((_, reject) => signal.addEventListener('abort', reject))
          : `echo: ${text}`,
      concurrency: 20,
    });
    const flood = Array.from({ length: 60 }, (_, index) =>
      loud(`m-${index}`, { text: 'flood', holdSeconds: 0 }),
    );
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
    expect(statuses.filter((status) => status === 503)).toHaveLength(48);
    expect((await quiet('one', { text: 'hello' })).status).toBe(200);
    const answer = await send(platform.operator, member.id, 'hello', { messageId: 'user', hold: 10 });
    expect(JSON.stringify(answer.body)).toContain('echo: hello');
  });

  verifies('inbound.one-peer-harms-no-other', 'refused answers take no room', async () => {
    const { loud, quiet, agent } = await startStage(environment, {}, { limits: { inboxLimit: 20 } });
    // Five fit into the share of one sender of the inbox, and 25 answers wait.
    for (let index = 0; index < 40; index += 1) {
      const accepted = async () => (await loud(`m-${index}`, { holdSeconds: 0 })).status;
      await expect.poll(accepted, { timeout: 20_000 }).toBe(200);
    }
    await expect.poll(() => agent.health().deadLetters, { timeout: 20_000 }).toBe(10);
    const { unfinished, degradedReasons } = agent.health();
    expect([unfinished, degradedReasons]).toEqual([25, ['answers-refused']]);
    expect((await quiet('one')).status).toBe(200);
    expect(agent.health().degradedReasons).toEqual([]);
  });

  verifies('inbound.large-messages', 'large messages are kept', async () => {
    const [before, after] = [environment.folder(), environment.folder()];
    const first = await startStage(environment, {
      store: new FileInboundStore(before),
      onMessage: (_message, { signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', reject)),
    });
    const large = 'x'.repeat(1_000_000);
    for (let index = 0; index < 10; index += 1) {
      expect((await first.loud(`large-${index}`, { text: large, holdSeconds: 0 })).status).toBe(200);
    }
    expect((await first.quiet('small', { holdSeconds: 0 })).status).toBe(200);
    const [from, to] = [before, after].map((folder) => join(folder, 'inbound.jsonl')) as [string, string];
    expect((await stat(from)).size).toBeLessThan(11_000_000);
    await copyFile(from, to);
    await first.stop();
    const file = await open(to, 'r+');
    // A log may be several times larger than its messages; here by lines that say nothing.
    for (let size = 16; size <= 96; size += 16) await file.write('\n', size * 1024 * 1024);
    await file.close();
    await appendFile(to, '\n');
    const second = await startPushAgent(environment, first.platform, first.member, {
      store: new FileInboundStore(after),
      concurrency: 20,
    });
    const ids = () => new Set(second.handled.map(({ messageId }) => messageId));
    await expect.poll(() => ids().size, { timeout: 20_000 }).toBe(11);
    expect(second.handled.find(({ messageId }) => messageId === 'large-0')?.text).toBe(large);
  });
});
