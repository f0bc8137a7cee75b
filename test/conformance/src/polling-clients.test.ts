import { expect } from 'vitest';
import { trackCall } from './harness/http.ts';
import { createMember, type Member, send } from './harness/members.ts';
import { PollingClient, type PollingClientName } from './harness/polling-client.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const CLIENTS: readonly PollingClientName[] = ['channel-bridge', 'python-sdk'];
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);

async function clientOn(platform: RunningPlatform, name: PollingClientName) {
  const member = await createMember(platform, { name });
  return { member, client: new PollingClient(name, member) };
}

async function sendAll(platform: RunningPlatform, { id }: Member, texts: readonly string[]): Promise<void> {
  for (const text of texts) expect((await send(platform.operator, id, text)).status).toBe(202);
}

onEachDatabase('clients that never acknowledge', { onDisk: true }, (environment) => {
  for (const name of CLIENTS) {
    verifies('polling-clients.backlog', `a backlog, ${name}`, async () => {
      const platform = await environment.platform({ clock: 'manual' });
      const { member, client } = await clientOn(platform, name);
      await sendAll(platform, member, numbers(1, 150));
      await client.start();
      await client.rounds();
      await sendAll(platform, member, numbers(151, 153));
      await client.rounds();
      expect(client.handled).toEqual(numbers(name === 'python-sdk' ? 51 : 1, 153));
    });

    verifies('limits.inbox-of-one-that-only-reads', `a full inbox, ${name}`, async () => {
      const platform = await environment.platform({ limits: { inboxLimit: 150 } });
      const { member, client } = await clientOn(platform, name);
      await client.start();
      await client.rounds();
      await sendAll(platform, member, numbers(1, 150));
      const refused = () => send(platform.operator, member.id, 'one more');
      expect(await refused()).toMatchObject({ status: 429, body: { code: 'inbox_full' } });
      await client.rounds();
      await sendAll(platform, member, numbers(151, 300));
      expect((await refused()).status).toBe(429);
      await client.rounds();
      await platform.restart();
      await sendAll(platform, member, numbers(301, 302));
      await client.rounds();
      expect(client.handled.slice(-250)).toEqual(numbers(53, 302));
      expect(new Set(client.handled).size).toBe(client.handled.length);
    });

    verifies('messages.paused.is-held', `a pause, ${name}`, async () => {
      const platform = await environment.platform();
      const { member, client } = await clientOn(platform, name);
      await client.start();
      await sendAll(platform, member, numbers(1, 3));
      await client.rounds();
      await platform.operator.post(`/workspaces/${member.id}/pause`);
      await sendAll(platform, member, numbers(4, 6));
      await client.rounds();
      expect(client.handled).toEqual(numbers(1, 3));
      await platform.operator.post(`/workspaces/${member.id}/resume`);
      if (client.hasEnded) await client.start();
      await sendAll(platform, member, numbers(7, 8));
      await client.rounds();
      expect(client.handled).toEqual(numbers(1, 8));
    });

    verifies('polling-clients.replies-are-not-held', `replies, ${name}`, async () => {
      const platform = await environment.platform({ clock: 'manual' });
      const [first, second] = [await clientOn(platform, name), await clientOn(platform, name)];
      for (const { client } of [first, second]) await client.start();
      for (const { client } of [first, second]) await client.round();
      const asked = trackCall(
        first.member.caller.post(`/workspaces/${second.member.id}/a2a`, {
          jsonrpc: '2.0',
          id: 1,
          method: 'message/send',
          params: { message: { messageId: 'first', parts: [{ type: 'text', text: 'hello' }] } },
        }),
      );
      await platform.clock.advance(24_000);
      await second.client.rounds();
      expect([second.client.handled, asked.isComplete]).toEqual([['hello'], false]);
      expect((await second.client.reply(first.member.id, 'hello back')).status).toBe(202);
      await first.client.rounds();
      expect(first.client.handled).toEqual(['hello back']);
      await platform.clock.advance(1_000);
      expect((await asked.response).status).toBe(202);
    });
  }
});
