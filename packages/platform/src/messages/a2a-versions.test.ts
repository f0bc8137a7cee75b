import { describe, expect, it } from 'vitest';
import { openAgent, openFolder, openPlatform } from '../../test/resources-of-test.ts';
import { answerText } from '../../test/scripted-agent.ts';
import { passedHeaders, storedHeaders, storeHeaders } from './request.ts';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const HEADERS = { 'a2a-version': '1.0', 'a2a-extensions': 'https://x.example.com/v1', traceparent: TRACE };

describe('headers that are passed on', () => {
  it('are those of the protocol and the trace, if a client can send them', () => {
    const given = { ...HEADERS, tracestate: 'a=1', authorization: 'secret', 'x-a2a-extensions': 'é' };
    const passed = passedHeaders(given);
    expect(passed).toEqual({ ...HEADERS, tracestate: 'a=1' });
    expect(passedHeaders({ traceparent: 'x'.repeat(3_000), 'a2a-version': ' ' })).toEqual({});
    expect(storedHeaders({ passed_headers: storeHeaders(passed) })).toEqual(passed);
    expect(storeHeaders({})).toBeNull();
    expect(storedHeaders({ passed_headers: null })).toEqual({});
  });

  it('are in the push of a message that was stored before a restart', async () => {
    const agent = await openAgent((call) => answerText(call, 'done'));
    const dataDir = openFolder();
    const first = await openPlatform({
      server: { contractCheck: 'responses' },
      data: { directory: dataDir },
    });
    const asker = await first.join({ name: 'asker' });
    const target = await first.create({ name: 'target', url: `${agent.url}/rpc` });
    const message = { role: 'ROLE_USER', messageId: 'm-1', parts: [{ text: 'hi' }] };
    const sent = await first.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } },
      headers: HEADERS,
    });
    expect(sent).toMatchObject({ status: 200, body: { result: { task: { id: expect.any(String) } } } });
    await first.platform.close();
    const second = await openPlatform({
      server: { contractCheck: 'responses' },
      data: { directory: dataDir },
    });
    const card = { name: 'target', url: `${agent.url}/rpc` };
    const body = { id: target.id, agent_card: card, url: card.url, delivery_mode: 'push' };
    await second.call('POST', '/registry/register', { token: target.token, body });
    const { headers, body: pushed } = await agent.called(1);
    expect(headers).toMatchObject(HEADERS);
    expect(pushed).toMatchObject({ method: 'SendMessage', params: { message } });
    expect(Object.keys(pushed.params.message).sort()).toEqual(['contextId', 'messageId', 'parts', 'role']);
  });
});

describe('an answer in A2A 1.0', () => {
  it('is pushed wrapped and without fields that 1.0 does not have', async () => {
    const running = await openPlatform({ server: { contractCheck: 'responses' } });
    const agent = await openAgent((call) => answerText(call, 'done'));
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const parts = [{ text: 'hi' }];
    const question = { role: 'user', messageId: 'm-0', parts: [{ kind: 'text', text: 'hi?' }] };
    const asked = await running.call('POST', `/workspaces/${asker.id}/a2a`, {
      token: target.token,
      body: { message: question },
      headers: { 'x-timeout': '0' },
    });
    // A reply to a message that has failed is late, and a message of its own.
    const outcomes = [{ activity_id: asked.body.activity_id, outcome: 'failed' }];
    const ack = { token: asker.token, body: { outcomes } };
    expect((await running.call('POST', `/workspaces/${asker.id}/activity/ack`, ack)).status).toBe(200);
    const message = { role: 'ROLE_AGENT', messageId: 'm-1', parts, metadata: { in_reply_to: 'm-0' } };
    await running.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } },
    });
    // The first push says that the message failed.
    const { params } = (await agent.called(2)).body;
    expect(Object.keys(params).sort()).toEqual(['message', 'metadata']);
    expect(params.message.parts).toEqual([{ text: '[A2A_RESULT_FROM_PEER]hi[/A2A_RESULT_FROM_PEER]' }]);
  });
});
