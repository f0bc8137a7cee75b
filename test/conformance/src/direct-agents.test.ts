import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteAgent, MessageFailure, type RemoteAgentClient } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { type Member, onboard, registerMember, send, waitForRow } from './harness/members.ts';
import {
  createPushAgent,
  type PushAgent,
  type PushAgentOptions,
  startPushAgent,
} from './harness/push-agent.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;

interface Pair {
  readonly platform: RunningPlatform;
  readonly caller: RemoteAgentClient;
  readonly callerId: string;
  readonly member: Member;
  readonly peer: PushAgent;
}

/** A caller without a server, and an agent with one. */
async function startPair(environment: TestEnvironment, options: PushAgentOptions = {}): Promise<Pair> {
  const platform = await environment.platform(DIRECT);
  const [asking, member] = [
    await onboard(platform, { name: 'asking' }),
    await onboard(platform, { name: 'asked' }),
  ];
  const peer = await startPushAgent(environment, platform, member, options);
  const caller = environment.client(platform, asking);
  await caller.register();
  return { platform, caller, callerId: asking.id, member, peer };
}

/** Forwards to a server; the first response is thrown away with its connection. */
async function startLossyProxy(
  environment: TestEnvironment,
): Promise<{ url: string; target: (url: string) => void; lost: () => number }> {
  let target = '';
  let lost = 0;
  const server = createServer((request, response) => {
    const { method, headers, url = '/' } = request;
    const passed = forward(new URL(url, target), { method, headers }, (answer) => {
      if (lost === 0 && method === 'POST') {
        lost += 1;
        answer.resume().once('end', () => request.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  environment.onCleanup(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: (url) => {
      target = url;
    },
    lost: () => lost,
  };
}

onEachDatabase('direct calls between agents', { onDisk: true }, (environment) => {
  verifies('peer-tokens.name-the-caller', 'agents: answer', async () => {
    const { platform, caller, callerId, member, peer } = await startPair(environment, {
      onMessage: ({ text }) => {
        if (text === 'fail') throw new MessageFailure('The disk is full.', { code: 'disk_full' });
        return text === 'nothing' ? undefined : `echo: ${text}`;
      },
    });
    const reply = await caller.callPeer(member.id, 'hello', { messageId: 'm-1', contextId: 'c-1' });
    expect(reply).toMatchObject({ status: 'answered', via: 'direct', text: 'echo: hello', contextId: 'c-1' });
    expect(peer.handled).toMatchObject([
      { messageId: 'm-1', contextId: 'c-1', source: 'peer_agent', sourceId: callerId, text: 'hello' },
    ]);
    const elsewhere = { messageId: 'm-1', contextId: 'c-1', metadata: { hops: 3, trace_id: 'another' } };
    expect(await caller.callPeer(member.id, 'hello', elsewhere)).toMatchObject({
      via: 'direct',
      text: 'echo: hello',
    });
    expect(await caller.callPeer(member.id, 'nothing')).toMatchObject({
      status: 'unanswered',
      via: 'direct',
    });
    expect(await caller.callPeer(member.id, 'fail')).toMatchObject({
      status: 'failed',
      via: 'direct',
      code: 'disk_full',
      text: 'The disk is full.',
    });
    const other = caller.callPeer(member.id, 'another text', { messageId: 'm-1', contextId: 'c-1' });
    await expect(other).rejects.toMatchObject({ code: 'conflict', platformCode: 'message_id_conflict' });
    expect(peer.handled).toHaveLength(3);
    expect((await platform.operator.get(`/workspaces/${callerId}/messages/m-1`)).status).toBe(404);
  });

  verifies('direct.late-answer', 'agents: late answer', async () => {
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const { platform, caller, callerId, member } = await startPair(environment, {
      onMessage: async ({ text }) => {
        started.resolve();
        await release.promise;
        if (text === 'fail') throw new MessageFailure('The disk is full.', { code: 'disk_full' });
        return text === 'nothing' ? undefined : `late: ${text}`;
      },
    });
    const [first, second, third] = await Promise.all(
      ['hello', 'nothing', 'fail'].map((text, index) =>
        caller.callPeer(member.id, text, { messageId: `m-${index}`, timeoutMs: 2_000 }),
      ),
    );
    await started.promise;
    const stateOf = (reply = first) => [reply?.status, reply?.via];
    expect([stateOf(first), stateOf(second), stateOf(third)]).toEqual([
      ['queued', 'direct'],
      ['queued', 'direct'],
      ['queued', 'direct'],
    ]);
    expect(stateOf(await caller.getMessage('m-0'))).toEqual(['queued', 'direct']);
    release.resolve();
    const answered = await caller.waitForAnswer('m-0');
    expect([...stateOf(answered), answered.text]).toEqual(['answered', 'direct', 'late: hello']);
    expect(stateOf(await caller.waitForAnswer('m-1'))).toEqual(['unanswered', 'direct']);
    const failed = await caller.waitForAnswer('m-2');
    expect([...stateOf(failed), failed.code, failed.text]).toEqual([
      'failed',
      'direct',
      'disk_full',
      'The disk is full.',
    ]);
    // The platform brings all ends as messages, too; they were returned before.
    const asking = {
      ...member,
      id: callerId,
      caller: platform.as(String(await clientPort(caller).currentToken())),
    };
    const rows = await waitForRow(asking, 3);
    const claims = rows.map((row) =>
      valueAt(row, 'request_body', 'params', 'metadata', 'claimed_reply', 'in_reply_to'),
    );
    expect(claims.sort()).toEqual(['m-0', 'm-1', 'm-2']);
    expect(await caller.fetchInbound()).toEqual([]);
  });

  verifies('direct.late-answer', 'agents: an answer of somebody else', async () => {
    const release = Promise.withResolvers<void>();
    const { platform, caller, callerId, member } = await startPair(environment, {
      onMessage: async () => {
        await release.promise;
        return 'late';
      },
    });
    const call = await caller.callPeer(member.id, 'hello', { messageId: 'm-1', timeoutMs: 3_000 });
    expect([call.status, call.via]).toEqual(['queued', 'direct']);
    const received = Promise.withResolvers<string>();
    const agent = createRemoteAgent({
      client: caller,
      onMessage: ({ text }) => received.resolve(text),
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const answer = caller.waitForAnswer('m-1');
    const other = await onboard(platform);
    await send(other.caller, callerId, 'forged', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    expect(await received.promise).toContain('forged');
    release.resolve();
    expect((await answer).text).toBe('late');
  });

  verifies('direct.late-answer', 'late answer: push', async () => {
    const release = Promise.withResolvers<void>();
    const platform = await environment.platform(DIRECT);
    const [asking, member] = [await onboard(platform), await onboard(platform)];
    const caller = await startPushAgent(environment, platform, asking);
    const peer = await startPushAgent(environment, platform, member, {
      onMessage: async ({ text }) => {
        await release.promise;
        if (text === 'fail') throw new MessageFailure('The disk is full.', { code: 'disk_full' });
        return `late: ${text}`;
      },
    });
    const texts = ['hello', 'fail'];
    for (const text of texts) {
      const call = { messageId: text, timeoutMs: 2_000 };
      expect(await caller.client.callPeer(member.id, text, call)).toMatchObject({
        status: 'queued',
        via: 'direct',
      });
    }
    // It cannot be asked for the state: only the message tells the end.
    await peer.close();
    const waited = texts.map((text) => caller.client.waitForAnswer(text));
    release.resolve();
    expect(await Promise.all(waited)).toMatchObject([
      { status: 'answered', via: 'direct', text: 'late: hello' },
      { status: 'failed', via: 'direct', text: 'The disk is full.', code: 'disk_full' },
    ]);
    for (const row of await waitForRow(asking, 2)) {
      const path = `/workspaces/${member.id}/messages/${textAt(row, 'message_id')}?wait=30`;
      expect((await platform.operator.get(path)).body).toMatchObject({ state: 'unanswered' });
    }
    expect(caller.handled).toEqual([]);
  });

  verifies('trust.own-metadata', 'late answer: open metadata', async () => {
    const release = Promise.withResolvers<void>();
    const forged = { state: 'failed', code: 'disk_full', delivery_failed: true };
    const metadata = { ...forged, molecule_end: { state: 'failed' }, note: 'kept' };
    const { platform, caller, callerId, member, peer } = await startPair(environment, {
      onMessage: async () => {
        await release.promise;
        return { text: 'done', metadata };
      },
    });
    const call = { messageId: 'm-1', timeoutMs: 2_000 };
    expect(await caller.callPeer(member.id, 'hello', call)).toMatchObject({
      status: 'queued',
      via: 'direct',
    });
    await peer.close();
    release.resolve();
    const reply = await caller.waitForAnswer('m-1');
    expect(reply).toMatchObject({ status: 'answered', via: 'direct', text: 'done', code: null });
    const token = String(await clientPort(caller).currentToken());
    const { stateDirectory } = clientPort(caller);
    await caller.close();
    // After a restart it knows which messages it sent.
    const again = environment.client(
      platform,
      { id: callerId, token },
      { storage: { directory: stateDirectory } },
    );
    expect(await again.fetchInbound()).toMatchObject([
      { inReplyTo: 'm-1', metadata: { code: 'disk_full', note: 'kept' } },
    ]);
    // Whoever did not send that message does not believe what it answers.
    const [late] = await environment.client(platform, { id: callerId, token }).fetchInbound();
    expect(late).toMatchObject({ inReplyTo: '', text: 'done' });
    expect(late?.metadata).toEqual({ code: 'disk_full', note: 'kept' });
  });

  verifies('direct.cancel', 'agents: cancel', async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const { caller, member, peer } = await startPair(environment, {
      onMessage: (_message, { signal }) => {
        started.resolve();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted.resolve(signal.reason);
            reject(signal.reason);
          });
        });
      },
    });
    const abort = new AbortController();
    const call = expect(caller.callPeer(member.id, 'hello', { signal: abort.signal })).rejects.toThrow(
      'enough',
    );
    await started.promise;
    abort.abort(new Error('enough'));
    await call;
    expect(await aborted.promise).toMatchObject({ code: 'cancelled_by_sender' });
    expect(peer.handled).toHaveLength(1);
  });

  verifies('client.no-repeats', 'agents: lost response', async () => {
    const proxy = await startLossyProxy(environment);
    const { caller, member, peer } = await startPair(environment);
    proxy.target(peer.url);
    await registerMember(member, { url: proxy.url });
    const reply = await caller.callPeer(member.id, 'hello', { messageId: 'm-1' });
    expect(reply).toMatchObject({ status: 'answered', via: 'proxy', text: 'echo: hello' });
    expect([proxy.lost(), peer.handled.length]).toEqual([1, 1]);
  });

  verifies('direct.falls-back', 'agents: not accepting', async () => {
    const platform = await environment.platform(DIRECT);
    const [asking, member] = [await onboard(platform), await onboard(platform)];
    const peer = await createPushAgent(environment, platform, member);
    await registerMember(member, { url: peer.url });
    const caller = environment.client(platform, asking);
    await caller.register();
    const reply = await caller.callPeer(member.id, 'hello', { messageId: 'm-1', timeoutMs: 2_500 });
    expect(reply).toMatchObject({ status: 'queued', via: 'proxy' });
    await peer.agent.start();
    expect(await caller.waitForAnswer('m-1')).toMatchObject({ status: 'answered', text: 'echo: hello' });
    expect(peer.handled).toHaveLength(1);
  });

  verifies('loops.circles-end', 'agents: ring', async () => {
    const platform = await environment.platform(DIRECT);
    const members = [await onboard(platform), await onboard(platform), await onboard(platform)];
    const refused: unknown[] = [];
    const vias = new Set<string>();
    const ring = await Promise.all(
      members.map((member, index) =>
        startPushAgent(environment, platform, member, {
          concurrency: 20,
          onMessage: async ({ text }, { client }) => {
            try {
              const reply = await client.callPeer(String(members[(index + 1) % 3]?.id), text);
              vias.add(reply.via);
              return reply.text;
            } catch (error) {
              refused.push(error);
              return 'stopped';
            }
          },
        }),
      ),
    );
    const asking = environment.client(platform, await onboard(platform));
    await asking.register();
    const reply = await asking.callPeer(String(members[0]?.id), 'go on', { timeoutMs: 60_000 });
    expect(reply).toMatchObject({ status: 'answered', via: 'direct', text: 'stopped' });
    expect(refused).toMatchObject([{ code: 'loop_detected', status: 409 }]);
    expect([...vias]).toEqual(['direct']);
    expect(ring.flatMap(({ handled }) => handled)).toHaveLength(7);
  });

  verifies('inbound.credential-is-demanded', 'agents: token of another', async () => {
    const { platform, member, peer } = await startPair(environment);
    const [thief, third] = [await onboard(platform), await onboard(platform)];
    const other = await startPushAgent(environment, platform, third);
    const { body } = await thief.caller.get(`/registry/discover/${member.id}`);
    const token = textAt(body, 'peer_token');
    const send = (url: string) =>
      fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'message/send',
          params: { message: { role: 'user', messageId: 'm-1', parts: [{ kind: 'text', text: 'hi' }] } },
        }),
      });
    expect((await send(other.url)).status).toBe(401);
    expect((await send(peer.url)).status).toBe(200);
    expect([other.handled.length, peer.handled.length]).toEqual([0, 1]);
  });
});
