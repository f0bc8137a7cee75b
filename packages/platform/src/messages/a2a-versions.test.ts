import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { answerText, type ScriptedAgent, startAgent } from '../../test/scripted-agent.ts';
import type { PlatformOptions } from '../index.ts';
import { passedHeaders, storedHeaders, storeHeaders } from './passed-headers.rules.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const running = await startPlatform({
    allowAgentNetworks: ['127.0.0.0/8'],
    contractCheck: 'responses',
    ...options,
  });
  cleanUps.push(() => running.platform.close());
  return running;
}

async function serve(): Promise<ScriptedAgent> {
  const agent = await startAgent((call) => answerText(call, 'done'));
  cleanUps.push(() => agent.close());
  return agent;
}

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
    const agent = await serve();
    const dataDir = mkdtempSync(join(tmpdir(), 'molecule-versions-'));
    cleanUps.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const first = await start({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const target = await first.create({ name: 'target', url: `${agent.url}/rpc` });
    const message = { role: 'ROLE_USER', messageId: 'm-1', parts: [{ text: 'hi' }] };
    const sent = await first.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } },
      headers: HEADERS,
    });
    expect(sent.status).toBe(202);
    await first.platform.close();
    const second = await start({ memory: false, dataDir });
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
    const running = await start();
    const agent = await serve();
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const parts = [{ text: 'hi' }];
    const message = { role: 'ROLE_AGENT', messageId: 'm-1', parts, metadata: { in_reply_to: 'unknown' } };
    await running.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } },
    });
    const { params } = (await agent.called(1)).body;
    expect(Object.keys(params).sort()).toEqual(['message', 'metadata']);
    expect(params.message.parts).toEqual([{ text: '[A2A_RESULT_FROM_PEER]hi[/A2A_RESULT_FROM_PEER]' }]);
  });
});
