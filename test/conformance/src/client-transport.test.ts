import { randomUUID } from 'node:crypto';
import type { RequestDispatcher } from '@molecule-ai/core';
import type { AgentScript } from '@molecule-tests/harness';
import { ManualClock } from '@molecule-tests/harness';
import { Agent } from 'undici';
import { expect } from 'vitest';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const OK: AgentScript = () => ({ kind: 'json', body: { status: 'ok' } });

// The platform is scripted here: only another one misbehaves like this. No database takes part.
onEachDatabase('the client’s transport', { onDisk: true }, (environment) => {
  const id = randomUUID();
  const token = 'secret-token-of-this-workspace-43-characters';

  verifies('client.headers', 'headers', async () => {
    const platform = await environment.scriptedAgent({ script: OK });
    await environment.client(platform, { id, token }, { orgId: 'org-1' }).heartbeat();
    await environment.client(platform, { id, token }).heartbeat();
    expect(platform.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${token}`,
      'x-workspace-id': id,
      'x-source-workspace-id': id,
      'x-molecule-org-id': 'org-1',
      origin: platform.url,
      'user-agent': expect.stringMatching(/\S/),
    });
    expect(platform.requests[1]?.headers).not.toHaveProperty('x-molecule-org-id');
  });

  verifies('client.headers', 'origin as given', async () => {
    const platform = await environment.scriptedAgent({ script: OK });
    for (const origin of ['my-agent/1.0', 'https://tenant.example.com', null]) {
      await environment.client(platform, { id, token }, { origin }).heartbeat();
    }
    const origins = platform.requests.map(({ headers }) => headers.origin);
    expect(origins).toEqual(['my-agent/1.0', 'https://tenant.example.com', undefined]);
  });

  verifies('client.bearer-stays-home', 'bearer stays home', async () => {
    const thief = await environment.scriptedAgent({ script: OK });
    const platform = await environment.scriptedAgent({
      script: () => ({ kind: 'redirect', to: `${thief.url}/steal` }),
    });
    const client = environment.client(platform, { id, token });
    await expect(client.heartbeat()).rejects.toMatchObject({ code: 'redirect_refused' });
    await expect(client.fetchInbound()).rejects.toMatchObject({ code: 'redirect_refused' });
    expect(thief.requests).toEqual([]);
  });

  verifies('client.pages-of-proxies', async () => {
    const page = '<html><head><title>Bad Gateway</title></head></html>';
    for (const [status, text, words] of [
      [502, page, 'does not reach the platform'],
      [502, '', 'does not reach the platform'],
      [503, page, 'does not reach the platform'],
      [504, page, 'time-out has to be longer'],
      [504, 'upstream request timeout', 'time-out has to be longer'],
    ] as const) {
      const clock = new ManualClock();
      const proxy = await environment.scriptedAgent({
        script: () => ({ kind: 'text', type: 'text/html', status, text }),
      });
      const client = environment.client(proxy, { id, token }, { connection: { clock } });
      let ended = false;
      const beat = client.heartbeat().finally(() => {
        ended = true;
      });
      const failure = expect(beat).rejects.toMatchObject({
        code: 'platform_unavailable',
        status,
        message: expect.stringContaining(`returned ${status}`),
        hint: expect.stringMatching(new RegExp(`^A proxy in front of the platform.*${words}`)),
      });
      await clock.advanceUntil(() => ended, { limitMs: 60_000 });
      await failure;
      expect(proxy.requests).toHaveLength(4);
    }
    const own = await environment.scriptedAgent({
      script: () => ({ kind: 'json', status: 504, body: { error: 'late', code: 'agent_timeout' } }),
    });
    const client = environment.client(own, { id, token });
    const call = client.callPeer(randomUUID(), 'hello', { via: 'proxy' });
    await expect(call).rejects.toMatchObject({ status: 504, hint: undefined });
  });

  verifies('client.retries', 'retries', async () => {
    const clock = new ManualClock();
    const platform = await environment.scriptedAgent({
      script: () => ({ kind: 'json', status: 503, body: { error: 'busy', code: 'platform_unavailable' } }),
    });
    const client = environment.client(platform, { id, token }, { connection: { clock, random: () => 0.5 } });
    let ended = false;
    const beat = client.heartbeat({ activeTasks: 2 }).finally(() => {
      ended = true;
    });
    const failure = expect(beat).rejects.toMatchObject({ code: 'platform_unavailable' });
    await clock.advanceUntil(() => ended, { limitMs: 60_000 });
    await failure;
    expect(platform.requests).toHaveLength(4);
    expect(new Set(platform.requests.map(({ text }) => text)).size).toBe(1);
  });

  verifies('client.retry-after', async () => {
    const clock = new ManualClock();
    const platform = await environment.scriptedAgent({
      script: (request, count) =>
        count === 1
          ? { kind: 'json', status: 429, body: { error: 'slow down' }, headers: { 'retry-after': '7' } }
          : OK(request, count),
    });
    const client = environment.client(platform, { id, token }, { connection: { clock } });
    let ended = false;
    const beat = client.heartbeat().finally(() => {
      ended = true;
    });
    await clock.advanceUntil(() => ended, { limitMs: 60_000, stepMs: 500 });
    await beat;
    expect(clock.monotonic()).toBeGreaterThanOrEqual(7_000);
    platform.react(() => ({
      kind: 'json',
      status: 429,
      body: { error: 'much slower' },
      headers: { 'retry-after': '120' },
    }));
    const before = platform.requests.length;
    await expect(client.heartbeat()).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 120_000 });
    expect(platform.requests).toHaveLength(before + 1);
  });

  verifies('client.retries', 'never retries', async () => {
    const platform = await environment.scriptedAgent({
      script: () => ({ kind: 'json', status: 400, body: { error: 'no', code: 'invalid_request' } }),
    });
    const client = environment.client(platform, { id, token });
    await expect(client.heartbeat()).rejects.toMatchObject({ code: 'request_rejected', status: 400 });
    platform.react(() => ({
      kind: 'json',
      status: 401,
      body: { error: 'who?', code: 'invalid_credentials' },
    }));
    await expect(client.register()).rejects.toMatchObject({ code: 'unauthorized' });
    platform.react(() => ({
      kind: 'json',
      status: 503,
      body: { error: 'busy', code: 'platform_unavailable' },
    }));
    const operator = environment.operator({ url: platform.url, operatorKey: 'operator-key' });
    await expect(operator.createWorkspace({ name: 'once' })).rejects.toMatchObject({
      code: 'platform_unavailable',
    });
    expect(platform.requests).toHaveLength(3);
  });

  verifies('client.dispatcher', 'dispatcher', async () => {
    const platform = await environment.scriptedAgent({
      script: (request, count) => (count === 1 ? { kind: 'never' } : OK(request, count)),
    });
    const agent = new Agent({ connections: 2 });
    const origins: unknown[] = [];
    const dispatcher: RequestDispatcher = {
      dispatch: (request, handler) => {
        origins.push(request.origin);
        return agent.dispatch(request, handler);
      },
    };
    const [closed, other] = [1, 2].map(() =>
      environment.client(platform, { id, token }, { connection: { dispatcher } }),
    );
    const pending = expect(closed?.heartbeat()).rejects.toMatchObject({ code: 'client_closed' });
    await expect.poll(() => platform.requests).toHaveLength(1);
    await closed?.close();
    await pending;
    await other?.heartbeat();
    expect(platform.requests).toHaveLength(2);
    expect(origins).toEqual([platform.url, platform.url]);
    await agent.close();
  });

  verifies('client.bare-404-is-routing', async () => {
    const platform = await environment.scriptedAgent({
      script: () => ({ kind: 'text', status: 404, text: '', type: 'text/plain' }),
    });
    const client = environment.client(platform, { id, token });
    await expect(client.pollState()).rejects.toMatchObject({ code: 'routing_problem' });
    platform.react(() => ({ kind: 'json', status: 404, body: { workspace_id: id, deleted: true } }));
    expect(await client.pollState()).toMatchObject({ deleted: true });
  });
});
