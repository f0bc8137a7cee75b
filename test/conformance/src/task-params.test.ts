import { expect } from 'vitest';
import { onboard } from './harness/members.ts';
import { startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('a task', (environment) => {
  verifies('inbound.tasks-of-params', 'tasks of params', async () => {
    // The method of the Python SDK is in no schema of A2A.
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      server: { contractCheck: 'responses' },
    });
    const peer = await onboard(platform);
    for (const delivery of ['push', 'long-poll'] as const) {
      const member = await onboard(platform);
      const { handled } = await startPushAgent(environment, platform, member, {
        delivery,
        onMessage: () => 'done',
      });
      const calls = [
        { params: { item: 'tea', quantity: 2 } },
        { params: { item: 'milk', message: { messageId: delivery } } },
        { jsonrpc: '2.0', id: 1, params: {} },
        {},
      ];
      for (const [index, body] of calls.entries()) {
        const call = { method: 'delegate_task', ...body };
        const sent = peer.caller.post(`/workspaces/${member.id}/a2a`, call, { 'x-timeout': '20' });
        await expect.poll(() => handled.length, { timeout: 15_000 }).toBe(index + 1);
        expect([200, delivery === 'push' ? 200 : 202]).toContain((await sent).status);
      }
      const seen = handled.map(({ method, params, text, parts }) => {
        const { message: _message, metadata: _metadata, ...own } = params;
        return [method, own, text, parts];
      });
      const expected = [{ item: 'tea', quantity: 2 }, { item: 'milk' }, {}, {}];
      expect(seen).toEqual(expected.map((own) => ['delegate_task', own, '', []]));
    }
  });

  verifies('inbound.tasks-of-params', 'tasks keep their message', async () => {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      server: { contractCheck: 'responses' },
    });
    const peer = await onboard(platform);
    const messages = ['File this.', '', 7, null, ['a', 'b']];
    for (const delivery of ['push', 'long-poll', 'poll'] as const) {
      const member = await onboard(platform);
      const { handled, stop } = await startPushAgent(environment, platform, member, {
        delivery,
        onMessage: () => 'done',
      });
      for (const message of messages) {
        const call = { method: 'delegate_task', params: { message, metadata: { a: 1 }, item: 'tea' } };
        await peer.caller.post(`/workspaces/${member.id}/a2a`, call, { 'x-timeout': '0' });
      }
      await expect.poll(() => handled.length, { timeout: 15_000 }).toBe(messages.length);
      const seen = handled.map(({ params: { message, item }, metadata, text }) => [
        message,
        item,
        metadata.a,
        text,
      ]);
      // Messages of different conversations are handled in any order.
      const expected = messages.map((message) => [
        message,
        'tea',
        1,
        typeof message === 'string' ? message : '',
      ]);
      expect(inOneOrder(seen), delivery).toEqual(inOneOrder(expected));
      await stop();
    }
  });

  verifies('inbound.empty-messages', 'tasks are objects', async () => {
    const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
    const member = await onboard(platform);
    const { url, handled } = await startPushAgent(environment, platform, member, { inboundAuth: 'none' });
    for (const body of [
      '{"method":"delegate_task","params":3}',
      '{"method":"message/send","params":{"a":1}}',
    ]) {
      const response = await fetch(url, { method: 'POST', body });
      expect([body, response.status]).toEqual([body, 400]);
    }
    expect(handled).toEqual([]);
    const body = '{"method":"delegate_task","params":{"item":"tea"}}';
    expect((await fetch(url, { method: 'POST', body })).status).toBe(200);
    expect(handled).toMatchObject([{ method: 'delegate_task', params: { item: 'tea' }, source: 'unknown' }]);
  });
});

function inOneOrder(rows: readonly unknown[][]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}
