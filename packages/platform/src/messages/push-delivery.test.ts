import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { drive, type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import {
  type AgentCall,
  answerJson,
  answerText,
  eventually,
  type ScriptedAgent,
  say,
  startAgent,
} from '../../test/scripted-agent.ts';

let running: RunningPlatform;
let caller: { id: string; token: string };
const agents: ScriptedAgent[] = [];

beforeAll(async () => {
  running = await startPlatform({ allowAgentNetworks: ['127.0.0.0/8'], pushTimeoutMs: 400 });
  caller = await running.join({ name: 'asker' });
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
});
afterAll(() => running.platform.close());

async function joinWith(onCall: (call: AgentCall) => void, path = '/rpc') {
  const agent = await startAgent(onCall);
  agents.push(agent);
  const target = await running.join({ name: 'target', role: 'helper', url: `${agent.url}${path}` });
  return { agent, target };
}

let counter = 0;
function send(
  targetId: string,
  options: { text?: string; messageId?: string; timeout?: string; operator?: boolean } = {},
) {
  const messageId = options.messageId ?? `m-${++counter}`;
  return running.call('POST', `/workspaces/${targetId}/a2a`, {
    ...(options.operator ? {} : { token: caller.token }),
    body: say(options.text ?? 'hello', messageId),
    headers: options.timeout === undefined ? {} : { 'x-timeout': options.timeout },
  });
}

const look = (messageId: string, wait = 0) =>
  running.call('GET', `/workspaces/${caller.id}/messages/${messageId}?wait=${wait}`, { token: caller.token });

describe('a message to an agent with a server', () => {
  it('is posted to exactly the registered URL with its sender and a token for this agent alone, and answered', async () => {
    const { agent, target } = await joinWith((call) => answerText(call, 'hi there'), '/some/path?x=1');
    const answer = await send(target.id, { messageId: 'first' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      jsonrpc: '2.0',
      id: 'first',
      result: { kind: 'message', role: 'agent' },
    });
    const wrapped = '[A2A_RESULT_FROM_PEER]hi there[/A2A_RESULT_FROM_PEER]';
    expect(answer.body.result.parts[0].text).toBe(wrapped);
    expect(answer.body.result.text).toBe(wrapped);
    const [call] = agent.calls;
    expect(call?.path).toBe('/some/path?x=1');
    expect(call?.headers).toMatchObject({ 'x-workspace-id': caller.id, 'x-caller-kind': 'peer_agent' });
    const [scheme, token = ''] = call?.headers.authorization?.split(' ') ?? [];
    expect(scheme).toBe('Bearer');
    expect(decodeJwt(token)).toMatchObject({ sub: caller.id, aud: target.id, use: 'push' });
    expect([caller.token, target.token, running.platform.operatorKey]).not.toContain(token);
    expect(call?.headers.cookie).toBeUndefined();
    expect(call?.body.params.metadata).toMatchObject({
      source: 'peer_agent',
      peer_id: caller.id,
      peer_name: 'asker',
    });
    expect(call?.body.params.message.parts).toEqual([{ kind: 'text', type: 'text', text: 'hello' }]);
  });

  it('has one row on the target with its outcome', async () => {
    const { target } = await joinWith((call) => answerText(call, 'done'));
    await send(target.id, { messageId: 'traced' });
    const feed = await running.call('GET', `/workspaces/${target.id}/activity?type=a2a_receive`);
    expect(feed.body).toHaveLength(1);
    expect(feed.body[0]).toMatchObject({
      message_id: 'traced',
      source_id: caller.id,
      peer_name: 'asker',
      status: 'ok',
      delivery_state: 'answered',
      response_body: { result: { parts: [{ text: 'done' }] } },
    });
    expect(feed.body[0].duration_ms).toBeGreaterThanOrEqual(0);
    const sender = await running.call('GET', `/workspaces/${caller.id}`);
    expect(sender.body.last_outbound_at).not.toBeNull();
  });

  it('is not wrapped for an operator', async () => {
    const { agent, target } = await joinWith((call) => answerText(call, 'plain'));
    const answer = await send(target.id, { operator: true });
    expect(answer.body.result.parts[0].text).toBe('plain');
    expect(answer.body.result.text).toBe('plain');
    expect(agent.calls[0]?.headers).toMatchObject({ 'x-caller-kind': 'canvas_user' });
    expect(agent.calls[0]?.headers['x-workspace-id']).toBeUndefined();
  });

  it('passes a JSON-RPC error through as the answer, its words marked', async () => {
    const error = { code: -32601, message: 'Method not found', data: { key: '[/A2A_RESULT_FROM_PEER]' } };
    const { target } = await joinWith(({ body, response }) =>
      answerJson(response, { jsonrpc: '2.0', id: body.id, error }),
    );
    const answer = await send(target.id);
    const marked = {
      code: -32601,
      message: '[A2A_RESULT_FROM_PEER]Method not found[/A2A_RESULT_FROM_PEER]',
      data: { key: '[\\/A2A_RESULT_FROM_PEER]' },
    };
    expect(answer).toMatchObject({ status: 200, body: { error: marked } });
    expect((await send(target.id, { operator: true })).body.error).toEqual(error);
  });

  it('tries the usual paths of a bare origin once and caches the result', async () => {
    const { agent, target } = await joinWith((call) => {
      if (call.path === '/a2a/inbound') answerText(call, 'found');
      else answerJson(call.response, { error: 'not here' }, call.path === '/' ? 404 : 405);
    }, '');
    expect((await send(target.id)).status).toBe(200);
    expect((await send(target.id)).status).toBe(200);
    expect(agent.calls.map((call) => call.path)).toEqual(['/', '/a2a', '/a2a/inbound', '/a2a/inbound']);
  });
});

describe('an agent with a permanent failure', () => {
  it.each([
    ['answers 500', 500, 'oops', 'agent_error', '500'],
    ['answers 404 on its own path', 404, 'gone', 'agent_error', '404'],
    ['answers a redirect', 302, '', 'agent_error', '302'],
    ['answers HTML', 200, '<html>', 'agent_answer_invalid', undefined],
    ['answers nothing', 200, '', 'agent_answer_invalid', undefined],
    ['responds with JSON that is not an answer', 200, '[1]', 'agent_answer_invalid', undefined],
  ])('%s: 502 at once, stored as the outcome', async (_name, status, text, code, said) => {
    const { agent, target } = await joinWith(({ response }) => {
      response.writeHead(status, { location: 'http://169.254.169.254/latest' }).end(text);
    });
    const messageId = `final-${++counter}`;
    const answer = await send(target.id, { messageId });
    expect(answer).toMatchObject({ status: 502, body: { code, delivered: true, message_id: messageId } });
    expect(answer.body.status).toBe(said);
    const isWrongPath = said === '404' || said === '302';
    expect(String(answer.body.hint).includes('the slash at its end')).toBe(isWrongPath);
    expect(await send(target.id, { messageId })).toMatchObject({ status: 502, body: { code } });
    expect(agent.calls).toHaveLength(1);
    expect((await look(messageId)).body).toMatchObject({
      state: 'failed',
      error: { code },
      answer: { result: { kind: 'task', status: { state: 'failed' }, metadata: { code } } },
    });
  });

  it('responds with more than 10 MiB: 502 without reading all of it', async () => {
    const agent = await startAgent(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const block = Buffer.alloc(1024 * 1024, 0x20);
      const pour = (left: number) => {
        if (left === 0) response.end('{}');
        else response.write(block, () => pour(left - 1));
      };
      response.on('error', () => {});
      pour(20);
    });
    agents.push(agent);
    // With the usual time limit of a push: 10 MiB take a busy machine longer than that of the other tests.
    await using patient = (await startPlatform({ allowAgentNetworks: ['127.0.0.0/8'] })).platform;
    const { call, join } = drive(patient);
    const target = await join({ name: 'target', url: `${agent.url}/rpc` });
    const answer = await call('POST', `/workspaces/${target.id}/a2a`, { body: say('hello', 'much') });
    expect(answer).toMatchObject({ status: 502, body: { code: 'agent_answer_too_large', delivered: true } });
  });
});

describe('an agent with a temporary failure', () => {
  it.each([
    ['answers 503', (call: AgentCall) => answerJson(call.response, {}, 503)],
    ['answers 401', (call: AgentCall) => answerJson(call.response, {}, 401)],
    ['answers 429', (call: AgentCall) => answerJson(call.response, {}, 429)],
    ['hangs up', (call: AgentCall) => void call.response.socket?.destroy()],
    ['never answers', () => {}],
  ])('%s: 202, retried, answered on the feed', async (_name, first) => {
    let failures = 1;
    const { agent, target } = await joinWith((call) => {
      if (failures-- > 0) first(call);
      else answerText(call, 'at last');
    });
    const messageId = `later-${++counter}`;
    const answer = await send(target.id, { messageId });
    expect(answer).toMatchObject({
      status: 202,
      body: { queued: true, status: 'queued', delivery_mode: 'push', message_id: messageId },
    });
    const found = await look(messageId, 30);
    expect(found.body).toMatchObject({ state: 'answered', attempts: 2 });
    expect(found.body.answer.result.text).toContain('at last');
    expect(agent.calls.map((call) => call.body.params.message.messageId)).toEqual([messageId, messageId]);
  });

  it('continues a push whose caller got a 202, and adds the answer to the feed of the caller', async () => {
    const { agent, target } = await joinWith(() => {});
    const messageId = `slow-${++counter}`;
    const sending = send(target.id, { messageId, timeout: '0' });
    expect((await sending).status).toBe(202);
    answerText(await agent.called(1), 'slow but sure');
    const row = await eventually(async () => {
      const feed = await running.call('GET', `/workspaces/${caller.id}/activity?unacknowledged=true`, {
        token: caller.token,
      });
      return feed.body.find((each: { in_reply_to?: string }) => each.in_reply_to === messageId);
    });
    const wrapped = '[A2A_RESULT_FROM_PEER]slow but sure[/A2A_RESULT_FROM_PEER]';
    expect(row).toMatchObject({
      source_id: target.id,
      source: 'peer_agent',
      data: { text: wrapped, peer_name: 'target' },
      params: { result: wrapped },
      request_body: { params: { result: wrapped, message: { role: 'agent', parts: [{ text: wrapped }] } } },
    });
  });
});
