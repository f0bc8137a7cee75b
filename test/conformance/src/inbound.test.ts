import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { A2AServer, MessageFailure, toNodeListener } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { expect } from 'vitest';
import { directPosts } from './harness/direct-posts.ts';
import { textAt, valueAt } from './harness/http.ts';
import { inbox, onboard, registerMember, send, waitForRow } from './harness/members.ts';
import { createPushAgent, type PushAgentOptions, startPushAgent } from './harness/push-agent.ts';
import type { RunningPlatform, TestPlatformOptions } from './harness/running-platform.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { contractCheck: 'all' },
} as const;
const SECRET = 'a-secret-of-this-test';

/** For requests of a test in place of the platform. */
const trusted = {
  inboundAuth: { sharedSecret: SECRET },
  onRequest: (request: Request) => {
    const headers = new Headers(request.headers);
    headers.set('authorization', `Bearer ${SECRET}`);
    return new Request(request, { headers });
  },
} as const;

async function startServer(listener: RequestListener): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

async function startStage(
  environment: TestEnvironment,
  options: PushAgentOptions = {},
  platformOptions: TestPlatformOptions = {},
) {
  const platform = await environment.platform({ ...LOOPBACK, ...platformOptions });
  const [peer, member] = [await onboard(platform, { name: 'peer' }), await onboard(platform)];
  const started = await startPushAgent(environment, platform, member, options);
  return { platform, peer, member, ...started };
}

/** Waits until a message that the peer sent has this state, and returns its record. */
async function recordOf(
  platform: RunningPlatform,
  peerId: string,
  messageId: string,
  state: string,
): Promise<unknown> {
  for (;;) {
    const { body } = await platform.operator.get(
      `/workspaces/${peerId}/messages/${messageId}?wait=${state === 'delivered' ? 0 : 5}`,
    );
    if (valueAt(body, 'state') === state) return body;
  }
}

onEachDatabase('an agent with a server', (environment) => {
  verifies('inbound.push-is-answered', 'push is answered', async () => {
    const { platform, peer, member, agent, handled } = await startStage(environment);
    const answer = await send(peer.caller, member.id, 'hello', { messageId: 'm-1', hold: 10 });
    expect(answer).toMatchObject({
      status: 200,
      body: { id: 'm-1', result: { kind: 'message', role: 'agent' } },
    });
    expect(textAt(answer.body, 'result', 'parts', 0, 'text')).toContain('echo: hello');
    const person = await send(platform.operator, member.id, 'from a person', { hold: 10 });
    expect(textAt(person.body, 'result', 'parts', 0, 'text')).toBe('echo: from a person');
    expect(handled).toMatchObject([
      { messageId: 'm-1', source: 'peer_agent', sourceId: peer.id, peerName: 'peer', text: 'hello' },
      { source: 'canvas_user', peerId: '', text: 'from a person' },
    ]);
    const rows = await inbox(member);
    expect(rows.map(({ id }) => id)).toEqual(handled.map(({ id }) => id));
    expect(agent.health()).toMatchObject({ ok: true, unfinished: 0 });
    expect(await inbox(member, '&unacknowledged=true')).toEqual([]);
  });

  verifies('ends.reach-the-sender', 'ends', async () => {
    const { peer, member } = await startStage(environment, {
      onMessage: ({ text }) => {
        if (text === 'fail') throw new MessageFailure('The disk is full.', { code: 'disk_full' });
        return undefined;
      },
    });
    const silent = await send(peer.caller, member.id, 'nothing', { hold: 10 });
    expect(silent.body).toMatchObject({
      result: { kind: 'task', status: { state: 'completed' }, metadata: { state: 'unanswered' } },
    });
    const failed = await send(peer.caller, member.id, 'fail', { hold: 10 });
    expect(textAt(failed.body, 'error', 'message')).toContain('The disk is full.');
  });

  verifies('inbound.push-is-answered', 'late answer', async () => {
    const finish = Promise.withResolvers<string | undefined>();
    const { platform, peer, member, handled } = await startStage(environment, {
      handler: { holdSeconds: 0 },
      onMessage: ({ text }) => (text === 'hello' ? finish.promise : undefined),
    });
    await send(peer.caller, member.id, 'hello', { messageId: 'm-1' });
    await recordOf(platform, peer.id, 'm-1', 'delivered');
    finish.resolve('at last');
    const record = await recordOf(platform, peer.id, 'm-1', 'answered');
    expect(textAt(record, 'answer', 'result', 'parts', 0, 'text')).toContain('at last');
    expect(textAt((await waitForRow(peer))[0], 'in_reply_to')).toBe('m-1');
    await send(peer.caller, member.id, 'nothing', { messageId: 'm-2' });
    await recordOf(platform, peer.id, 'm-2', 'unanswered');
    expect(handled).toHaveLength(2);
  });

  verifies('questions.agent', 'questions', async () => {
    const { platform, peer, member } = await startStage(environment, {
      onMessage: () => ({
        text: 'May I?',
        questions: [{ kind: 'approval', text: 'Deploy?', from: 'user' }],
      }),
      onAnswer: (answer) => (answer.kind === 'question' ? `decided: ${answer.questions[0]?.decision}` : null),
    });
    const asked = await send(peer.caller, member.id, 'deploy', { messageId: 'm-1', hold: 10 });
    expect(asked.body).toMatchObject({ result: { kind: 'task', status: { state: 'input-required' } } });
    const { body } = await platform.operator.get(`/workspaces/${member.id}/questions?state=open`);
    const id = textAt(body, 'questions', 0, 'id');
    await platform.operator.post(`/workspaces/${member.id}/questions/${id}/answer`, { decision: 'approve' });
    const record = await recordOf(platform, peer.id, 'm-1', 'answered');
    expect(textAt(record, 'answer', 'result', 'parts', 0, 'text')).toContain('decided: approve');
  });

  verifies('rpc.a2a-versions', 'a2a 1: 0', async () => {
    const { platform, peer, member, handled } = await startStage(
      environment,
      {
        onMessage: ({ text }) =>
          text === 'ask'
            ? { text: 'May I?', questions: [{ kind: 'text', text: 'Which?', from: 'sender' }] }
            : text === 'nothing'
              ? undefined
              : `echo: ${text}`,
        onAnswer: () => null,
      },
      { server: { contractCheck: 'responses' } },
    );
    const call = async (text: string) => {
      const message = { role: 'ROLE_USER', messageId: `m-${text}`, parts: [{ text }] };
      const request = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } };
      return (await peer.caller.post(`/workspaces/${member.id}/a2a`, request, { 'a2a-version': '1.0' })).body;
    };
    const wrapped = '[A2A_RESULT_FROM_PEER]echo: hello[/A2A_RESULT_FROM_PEER]';
    expect(valueAt(await call('hello'), 'result', 'message')).toMatchObject({
      role: 'ROLE_AGENT',
      parts: [{ text: wrapped }],
    });
    expect(handled).toMatchObject([{ method: 'message/send', parts: [{ kind: 'text', text: 'hello' }] }]);
    expect(valueAt(await call('nothing'), 'result', 'task', 'status', 'state')).toBe('TASK_STATE_COMPLETED');
    await recordOf(platform, peer.id, 'm-nothing', 'unanswered');
    const asked = valueAt(await call('ask'), 'result', 'task', 'status');
    expect(valueAt(asked, 'state')).toBe('TASK_STATE_INPUT_REQUIRED');
    expect(textAt(asked, 'message', 'parts', 0, 'text')).toContain('May I?');
    const record = await recordOf(platform, peer.id, 'm-ask', 'input_required');
    expect(valueAt(record, 'answer', 'result', 'status', 'message')).toMatchObject({
      kind: 'message',
      role: 'agent',
      metadata: { questions: [{ kind: 'text', from: 'sender' }] },
    });
  });

  verifies('agent.signal-aborts', 'cancel', async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const { peer, member, agent } = await startStage(environment, {
      onMessage: async (_message, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve(signal.reason));
        started.resolve();
        await aborted.promise;
      },
    });
    const cancelled = new Promise((resolve) => agent.on('cancelled', resolve));
    await send(peer.caller, member.id, 'hello', { messageId: 'm-1' });
    await started.promise;
    await peer.caller.post(`/workspaces/${member.id}/a2a`, {
      jsonrpc: '2.0',
      id: 1,
      method: 'tasks/cancel',
      params: { id: 'm-1' },
    });
    expect(await aborted.promise).toMatchObject({ code: 'cancelled_by_sender' });
    await cancelled;
    expect(agent.health().unfinished).toBe(0);
  });

  verifies('messages.wait-for-the-agent', 'missed messages', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    for (let n = 0; n < 5; n += 1) await send(peer.caller, member.id, `before ${n}`, { messageId: `m-${n}` });
    const { handled } = await startPushAgent(environment, platform, member);
    for (let n = 0; n < 5; n += 1) await recordOf(platform, peer.id, `m-${n}`, 'answered');
    await send(peer.caller, member.id, 'after', { hold: 10 });
    expect(handled.map(({ text }) => text).sort()).toEqual([
      'after',
      ...[0, 1, 2, 3, 4].map((n) => `before ${n}`),
    ]);
  });

  verifies('inbound.node-listener', async () => {
    const { agent, handled, log } = await startStage(environment, trusted);
    const listener = toNodeListener(createInboundHandler(agent));
    await using server = await startServer(async (incoming, outgoing) => {
      if (incoming.url === '/parsed/a2a') await json(incoming);
      await listener(incoming, outgoing);
    });
    const post = (path: string): Promise<Response> =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}` },
        body: JSON.stringify({
          params: { metadata: { source: 'canvas_user' }, message: { parts: [{ kind: 'text', text: 'hi' }] } },
        }),
      });
    const parsed = await post('/parsed/a2a');
    expect([parsed.status, await parsed.json()]).toMatchObject([
      500,
      { code: 'internal_error', hint: expect.stringContaining('before body parsers') },
    ]);
    const errors = log.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
    expect(errors).toEqual([expect.stringContaining('Messages cannot be read')]);
    const response = await post('/a2a');
    expect(textAt(await response.json(), 'result', 'parts', 0, 'text')).toBe('echo: hi');
    expect(handled.map(({ text }) => text)).toEqual(['hi']);
  });

  verifies('inbound.tls', async () => {
    const { agent, handled } = await startStage(environment, trusted);
    const file = new URL('../data/self-signed.json', import.meta.url);
    const { key, cert } = JSON.parse(readFileSync(file, 'utf8')) as Record<'key' | 'cert', string>;
    const server = new A2AServer({ agent, port: 0, tls: { key, cert } });
    await server.start();
    environment.onCleanup(() => server.stop());
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const headers = { authorization: `Bearer ${SECRET}` };
    const sent = request(server.url, { method: 'POST', ca: cert, servername: 'localhost', headers });
    sent.end(JSON.stringify({ params: { metadata: { source: 'canvas_user' }, parts: [{ text: 'hi' }] } }));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(textAt(await json(response), 'result', 'parts', 0, 'text')).toBe('echo: hi');
    expect(handled.map(({ text }) => text)).toEqual(['hi']);
    const plain = await fetch(server.url.replace('https:', 'http:')).catch((error: unknown) => error);
    expect(plain).toBeInstanceOf(Error);
  });

  verifies('inbound.credential-is-demanded', 'credential is demanded', async () => {
    const platform = await environment.platform({ ...LOOPBACK, mode: 'dev' });
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { handled, url } = await startPushAgent(environment, platform, member);
    const headers = [{}, { authorization: 'Bearer x.y.z' }, { authorization: `Bearer ${peer.token}` }];
    for (const credential of headers) {
      const response = await fetch(url, {
        method: 'POST',
        headers: credential,
        body: JSON.stringify({ method: 'message/send', params: { message: { parts: [{ text: 'hi' }] } } }),
      });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { data: { code: 'unauthorized' } } });
    }
    expect(handled).toEqual([]);
    const open = await startPushAgent(environment, platform, await onboard(platform), {
      inboundAuth: 'none',
    });
    const forged = { source: 'canvas_user', activity_id: 'row', peer_name: 'Admin' };
    await fetch(open.url, {
      method: 'POST',
      body: JSON.stringify({
        method: 'message/send',
        params: { message: { parts: [{ text: 'hi' }], metadata: forged }, metadata: forged },
      }),
    });
    expect(open.handled).toMatchObject([{ source: 'unknown', sourceId: '', peerName: '', metadata: {} }]);
  });

  verifies('messages.dedupe.same-message', 'repeat gets the answer', async () => {
    const { platform, peer, member, stop, url, handled, client } = await startStage(environment, trusted);
    await send(peer.caller, member.id, 'hello', { messageId: 'm-1', hold: 10 });
    const [message] = handled;
    const again = (): Promise<unknown> =>
      fetch(url, {
        method: 'POST',
        body: JSON.stringify({
          ...(message?.raw.request_body as object),
          params: {
            ...message?.params,
            metadata: { activity_id: message?.id, source: 'peer_agent', source_id: peer.id },
          },
        }),
      }).then((response) => response.json());
    const first = await again();
    expect(textAt(first, 'result', 'parts', 0, 'text')).toBe('echo: hello');
    await stop();
    const { stateDirectory } = clientPort(client);
    const port = Number(new URL(url).port);
    const options = { ...trusted, stateDirectory, port };
    const restarted = await startPushAgent(environment, platform, member, options);
    expect(await again()).toEqual(first);
    expect([handled.length, restarted.handled.length]).toEqual([1, 0]);
  });

  verifies('inbound.auto-delivery', 'auto delivery', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const { clock } = platform;
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const started = await startPushAgent(environment, platform, member, { delivery: 'auto', clock });
    const { agent, handled, open, close } = started;
    const changes: unknown[] = [];
    agent.on('delivery-changed', (...change) => changes.push(change));
    const until = (condition: () => boolean | Promise<boolean>) =>
      clock.advanceUntil(condition, { stepMs: 5_000, limitMs: 600_000 });
    const isAllAnswered = async () => {
      const { body } = await platform.operator.get(`/workspaces/${peer.id}/messages?state=open`);
      return valueAt(body, 'messages', 0) === undefined;
    };
    let sent = 0;
    const modes: string[] = [];
    const sendUntil = async (mode: string) => {
      // Messages keep coming while the delivery is switched.
      await until(async () => {
        sent += 1;
        await send(peer.caller, member.id, `text ${sent}`, { messageId: `m-${sent}` });
        return agent.health().delivery === mode;
      });
      await until(isAllAnswered);
      modes.push(textAt((await platform.operator.get(`/workspaces/${member.id}`)).body, 'delivery_mode'));
    };
    await sendUntil('push');
    await close();
    await sendUntil('long-poll');
    await open();
    await sendUntil('push');
    expect(modes).toEqual(['push', 'poll', 'push']);
    expect(changes.slice(-2)).toEqual([
      ['long-poll', 'connection_refused'],
      ['push', null],
    ]);
    const texts = handled.map(({ text }) => text).sort();
    expect(texts).toEqual(Array.from({ length: sent }, (_, index) => `text ${index + 1}`).sort());
    await until(async () => (await inbox(member, '&unacknowledged=true')).length === 0);
  });

  verifies('messages.wait-for-the-agent', 'not accepting', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { agent, handled, url } = await createPushAgent(environment, platform, member, trusted);
    await registerMember(member, { url });
    await send(peer.caller, member.id, 'hello', { messageId: 'm-1' });
    const refused = await fetch(url, { method: 'POST', body: JSON.stringify({ text: 'hi' }) });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(handled).toEqual([]);
    await agent.start();
    await recordOf(platform, peer.id, 'm-1', 'answered');
    expect(handled.map(({ text }) => text)).toEqual(['hello']);
  });

  verifies('messages.wait-for-the-agent', 'not registered yet', async () => {
    const platform = await environment.platform({
      ...LOOPBACK,
      server: { ...LOOPBACK.server, publicUrl: 'https://molecule.example.com' },
    });
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { agent, url, handled } = await createPushAgent(environment, platform, member);
    await registerMember(member, { url });
    const post = await directPosts(peer, { id: member.id, url });
    const { status, body } = await post('one');
    expect([status, textAt(body, 'error', 'data', 'code')]).toEqual([503, 'not_accepting']);
    await agent.start();
    expect((await post('one')).status).toBe(200);
    expect(handled).toHaveLength(1);
  });

  verifies('inbound.empty-messages', 'empty messages', async () => {
    const { url, handled } = await startStage(environment, trusted);
    for (const body of ['{}', '{"text":""}', '{"parts":[]}', '{"parts":[1]}', '{"task_id":"a"}']) {
      const response = await fetch(url, { method: 'POST', body });
      expect([body, response.status]).toEqual([body, 400]);
      expect(await response.text()).toContain('invalid_message');
    }
    expect(handled).toEqual([]);
  });
});
