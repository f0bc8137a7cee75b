import { type AgentRequest, answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { heartbeat, inbox, inboxTexts, onboard, send, statusOf, waitForRow } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };

function textsOf(requests: readonly AgentRequest[]): string[] {
  return requests.map(({ body }) => textAt(body, 'params', 'message', 'parts', 0, 'text'));
}

onEachDatabase('push', (environment) => {
  verifies('answers.find-their-callers', 'answer is returned', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('Hello back!') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const answer = await caller.caller.post(`/workspaces/${target.id}/a2a`, {
      jsonrpc: '2.0',
      method: 'message/send',
      params: { message: { role: 'user', parts: [{ type: 'text', text: 'Hello' }] } },
      id: 'req-123',
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { jsonrpc: '2.0', id: 'req-123', result: { status: 'completed' } },
    });
    expect(textAt(answer.body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('Hello back!');
  });

  verifies('push.request', 'request', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const url = `${agent.url}/deep/path?key=value`;
    const [caller, target] = [await onboard(platform), await onboard(platform, { url })];
    await send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 10 });
    const [pushed] = await agent.received(1);
    expect(pushed).toMatchObject({
      method: 'POST',
      path: '/deep/path?key=value',
      body: { jsonrpc: '2.0', id: 'm-1', method: 'message/send', params: { message: { messageId: 'm-1' } } },
    });
    expect(pushed?.headers['content-type']).toMatch(/^application\/json/);
    const sent = JSON.stringify(pushed?.headers);
    for (const secret of [caller.token, target.token, platform.operatorKey])
      expect(sent).not.toContain(secret);
  });

  verifies('push.path-is-found', async () => {
    const platform = await environment.platform(LOOPBACK);
    for (const [serves, status] of [
      ['/a2a', 404],
      ['/a2a/inbound', 405],
    ] as const) {
      const found = answering('found');
      const agent = await environment.scriptedAgent({
        script: (request, count) =>
          request.path === serves
            ? found(request, count)
            : { kind: 'text', text: 'no', type: 'text/plain', status },
      });
      const [caller, target] = [await onboard(platform), await onboard(platform, { url: `${agent.url}/` })];
      expect((await send(caller.caller, target.id, 'first', { hold: 10 })).status).toBe(200);
      const tried = agent.requests.length;
      expect((await send(caller.caller, target.id, 'second', { hold: 10 })).status).toBe(200);
      expect(agent.requests.slice(tried).map(({ path }) => path)).toEqual([serves]);
    }
  });

  verifies('feed.row-knows-its-answer', 'row at receipt', async () => {
    const platform = await environment.platform(LOOPBACK);
    let finish = (_text: string) => {};
    const working = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const agent = await environment.scriptedAgent({
      script: async (request, count) => answering(await working)(request, count),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = send(caller.caller, target.id, 'work', { hold: 60 });
    await agent.received(1);
    const [row] = await inbox(target);
    expect(row).toMatchObject({ status: 'pending', data: { text: 'work' } });
    finish('worked');
    expect((await call).status).toBe(200);
    const [done] = await inbox(target);
    expect(done).toMatchObject({ id: row?.id, status: 'ok', delivery_state: 'answered' });
    expect(JSON.stringify(done?.response_body)).toContain('worked');
  });

  verifies('push.rpc-error-passes', 'rpc error passes', async () => {
    const platform = await environment.platform(LOOPBACK);
    const error = { code: -32601, message: 'Method not found' };
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', body: { jsonrpc: '2.0', id: 1, error } }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const answer = await send(caller.caller, target.id, 'hello', { hold: 10 });
    expect(answer).toMatchObject({ status: 200, body: { jsonrpc: '2.0', error: { code: -32601 } } });
  });

  verifies('push.agent-error', 'agent error', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', body: { error: 'boom' }, status: 500 }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const answer = await send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 10 });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.body).toMatchObject({ code: 'agent_error', status: '500', delivered: true });
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(record.body).toMatchObject({ state: 'failed', error: { code: 'agent_error' } });
    expect(agent.requests).toHaveLength(1);
  });

  verifies('push.not-accepting', 'not accepting', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: answering('ready') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const record = () => caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    const plain = { error: 'paused', code: 'not_accepting' };
    const rpc = { jsonrpc: '2.0', id: 'm-1', error: { code: -32000, message: 'full', data: plain } };
    const refuse = (body: unknown, headers = {}) =>
      agent.react(() => ({ kind: 'json', body, status: 503, headers }));
    refuse(plain);
    expect((await send(caller.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
    // Many more times than a message has attempts.
    for (let asked = 1; asked < 12; asked += 1) {
      await agent.received(asked);
      if (asked === 6) refuse(rpc);
      await heartbeat(target);
      await platform.clock.advanceUntil(() => agent.requests.length > asked, { limitMs: 7_000 });
    }
    expect((await record()).body).toMatchObject({ state: 'queued' });
    refuse(plain, { 'retry-after': '40' });
    const before = agent.requests.length;
    await platform.clock.advanceUntil(() => agent.requests.length > before, { limitMs: 7_000 });
    agent.react(answering('at last'));
    await platform.clock.advance(29_000);
    expect(agent.requests).toHaveLength(before + 1);
    await heartbeat(target);
    await platform.clock.advanceUntil(async () => valueAt((await record()).body, 'state') === 'answered', {
      limitMs: 30_000,
    });
    expect((await record()).body).toMatchObject({ state: 'answered', attempts: 1 });
    const ids = new Set(agent.requests.map(({ body }) => textAt(body, 'params', 'message', 'messageId')));
    expect([...ids]).toEqual(['m-1']);
  });

  verifies('push.not-accepting', 'rate limited', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual', limits: { maxAttempts: 2 } });
    const body = {
      jsonrpc: '2.0',
      id: null,
      error: { code: -32000, message: 'busy', data: { code: 'rate_limited' } },
    };
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'json', body, status: 429 }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const record = async () => (await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`)).body;
    expect((await send(caller.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
    for (let asked = 1; asked < 6; asked += 1) {
      await agent.received(asked);
      if (asked === 3) {
        agent.react(() => ({ kind: 'json', body: {}, status: 429, headers: { 'retry-after': '3' } }));
      }
      await heartbeat(target);
      await platform.clock.advanceUntil(() => agent.requests.length > asked, { limitMs: 7_000 });
    }
    expect(await record()).toMatchObject({ state: 'queued' });
    agent.react(answering('at last'));
    await platform.clock.advanceUntil(async () => valueAt(await record(), 'state') === 'answered', {
      limitMs: 10_000,
    });
    expect(await record()).toMatchObject({ state: 'answered', attempts: 1 });
  });

  verifies('push.agent-error', 'agent html', async () => {
    const platform = await environment.platform(LOOPBACK);
    const text = '<!doctype html><title>Welcome to nginx</title>';
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'text', text, type: 'text/html' }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    expect(await send(caller.caller, target.id, 'hello', { hold: 10 })).toMatchObject({
      status: 502,
      body: { code: 'agent_answer_invalid', delivered: true },
    });
  });

  verifies('answers.too-large-fails', 'agent huge', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'huge' }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    expect(await send(caller.caller, target.id, 'hello', { hold: 20 })).toMatchObject({
      status: 502,
      body: { code: 'agent_answer_too_large', delivered: true, truncated: true },
    });
  });

  verifies('push.repeated-with-the-same-id', 'agent hangs up', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const recovered = answering('now');
    const agent = await environment.scriptedAgent({
      script: (request, count) => (count === 1 ? { kind: 'hang-up' } : recovered(request, count)),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = trackCall(send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 60 }));
    await agent.received(1);
    // In small steps, because the failure is written to a real disk meanwhile.
    await platform.clock.advanceUntil(() => agent.requests.length > 1, { stepMs: 20, limitMs: 30_000 });
    await platform.clock.advanceUntil(() => call.isComplete, { stepMs: 20, limitMs: 30_000 });
    const ids = agent.requests.map(({ body }) => textAt(body, 'params', 'message', 'messageId'));
    expect(ids).toEqual(['m-1', 'm-1']);
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1?wait=60`);
    expect(record.body).toMatchObject({ state: 'answered', attempts: 2 });
  });

  verifies('answers.held-call', 'agent never answers', async () => {
    const platform = await environment.platform({
      ...LOOPBACK,
      clock: 'manual',
      limits: { pushTimeoutMs: 20_000, maxAttempts: 1 },
    });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = trackCall(send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 10 }));
    await agent.received(1);
    await platform.clock.advanceUntil(() => call.isComplete, { limitMs: 60_000 });
    expect(await call.response).toMatchObject({ status: 202, body: { queued: true } });
    const record = () => caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    await platform.clock.advanceUntil(async () => valueAt((await record()).body, 'state') === 'failed');
    expect((await record()).body).toMatchObject({ error: { code: 'agent_timeout' } });
  });
});

onEachDatabase('push to agents that come and go', (environment) => {
  verifies('messages.wait-for-the-agent', 'refused is kept; order after an outage', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const early = await environment.scriptedAgent({ script: answering('early') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: early.url })];
    await early.stop();
    for (const text of ['one', 'two', 'three']) {
      const answer = await send(caller.caller, target.id, text);
      expect(answer).toMatchObject({ status: 202, body: { queued: true, delivery_mode: 'push' } });
    }
    await platform.clock.advance(1_500);
    const back = await environment.scriptedAgent({ port: early.port, script: answering('back') });
    await platform.clock.advanceUntil(() => back.requests.length >= 3, { limitMs: 80_000 });
    await platform.clock.advance(30_000);
    expect(textsOf(back.requests)).toEqual(['one', 'two', 'three']);
  });

  verifies('messages.record', 'last error', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', status: 503, body: { error: 'secret words' } }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const path = `/workspaces/${caller.id}/messages`;
    await send(caller.caller, target.id, 'hello', { messageId: 'm-1' });
    const shown = { state: 'queued', last_error: { code: 'agent_error', status: '503' } };
    await platform.clock.advanceUntil(async () => {
      const { body } = await caller.caller.get(`${path}/m-1`);
      return valueAt(body, 'last_error') !== undefined;
    });
    const [record, list] = [await caller.caller.get(`${path}/m-1`), await caller.caller.get(path)];
    expect(record.body).toMatchObject(shown);
    expect(list.body).toMatchObject({ messages: [shown] });
    expect(record.text + list.text).not.toContain('secret');
    agent.react(answering('back'));
    const before = agent.requests.length;
    await platform.clock.advanceUntil(() => agent.requests.length > before, { limitMs: 80_000 });
    const done = await caller.caller.get(`${path}/m-1?wait=20`);
    expect(done.body).toMatchObject({ state: 'answered' });
    expect(done.body).not.toHaveProperty('last_error');
  });

  verifies('delivery.clock-jump', 'clock jump', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    for (const jump of [-3_600_000, 7_200_000]) {
      const early = await environment.scriptedAgent({ script: answering('early') });
      const [caller, target] = [await onboard(platform), await onboard(platform, { url: early.url })];
      await early.stop();
      expect((await send(caller.caller, target.id, 'hello')).status).toBe(202);
      await platform.clock.advance(100);
      platform.clock.jump(jump);
      const back = await environment.scriptedAgent({ port: early.port, script: answering('back') });
      await heartbeat(target);
      await platform.clock.advanceUntil(() => back.requests.length > 0, { limitMs: 80_000 });
      await heartbeat(target);
      await platform.clock.advance(30_000);
      expect(textsOf(back.requests)).toEqual(['hello']);
    }
  });

  verifies('delivery.clock-jump', 'clock jump in flight', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const release = Promise.withResolvers<void>();
    const agent = await environment.scriptedAgent({
      script: async (request, count) => {
        await release.promise;
        return answering('done')(request, count);
      },
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = send(caller.caller, target.id, 'slow', { hold: 200 });
    await agent.received(1);
    for (const jump of [3_600_000, -7_200_000, 7_200_000]) {
      platform.clock.jump(jump);
      await platform.clock.advance(6_000);
    }
    release.resolve();
    expect(await call).toMatchObject({ status: 200, body: { result: { status: 'completed' } } });
    await platform.clock.advance(30_000);
    expect(textsOf(agent.requests)).toEqual(['slow']);
  });

  verifies('push.dead-letter', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const gone = await environment.scriptedAgent({ script: answering('never') });
    await gone.stop();
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: gone.url })];
    expect((await send(caller.caller, target.id, 'hello?', { messageId: 'm-1' })).status).toBe(202);
    const record = () => caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    const beat = async () => {
      await heartbeat(target);
      return valueAt((await record()).body, 'state') === 'failed';
    };
    await platform.clock.advanceUntil(beat, { stepMs: 10_000, limitMs: 600_000 });
    expect((await record()).body).toMatchObject({ attempts: 5, error: { code: 'agent_unreachable' } });
    const [row] = await waitForRow(caller);
    expect(row).toMatchObject({ source_id: target.id, in_reply_to: 'm-1', status: 'error' });
    expect((await inbox(target))[0]).toMatchObject({ status: 'error', delivery_state: 'failed' });
  });

  verifies('messages.wait-for-the-agent', 'offline is left alone', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: answering('here') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    await platform.clock.advance(120_000);
    expect(await statusOf(platform, target.id)).toBe('offline');
    expect((await send(caller.caller, target.id, 'one')).status).toBe(202);
    expect((await send(caller.caller, target.id, 'two')).status).toBe(202);
    await platform.clock.advance(60_000);
    expect(agent.requests).toEqual([]);
    await heartbeat(target);
    expect(textsOf(await agent.received(2))).toEqual(['one', 'two']);
    expect(await inboxTexts(target)).toEqual(['one', 'two']);
  });
});

onEachDatabase('push over a restart', { onDisk: true }, (environment) => {
  verifies('messages.survive-a-restart', 'stop loses nothing', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 60 });
    await agent.received(1);
    await platform.restart(() => agent.react(answering('after the restart')));
    await call;
    await agent.received(2);
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1?wait=30`);
    expect(record.body).toMatchObject({ state: 'answered' });
    expect(record.text).toContain('after the restart');
    expect(agent.requests).toHaveLength(2);
  });
});
